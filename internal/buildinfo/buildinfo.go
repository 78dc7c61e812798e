// Package buildinfo says which build is running. The Makefile sets the variables through -ldflags; a build
// without them, such as somebody else's ocb manifest, says "unknown" of what it does not know.
package buildinfo

// Version, Commit and Date (RFC 3339, of the commit, so that builds are reproducible).
var (
	Version = "unknown"
	Commit  = "unknown"
	Date    = "unknown"
)
