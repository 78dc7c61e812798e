// Package packaging tests what the distribution is shipped in: deb and rpm are installed, started and purged in a throw-away
// copy of this machine, the image's steps are done without a container engine, and the compose files are loaded.
//
// It needs Linux and root, for mounts in a namespace of its own; nothing of the machine itself is changed.
package packaging
