// Package config holds the configurations that are shipped with otelcol-avika. They are files to read and copy, and
// they are embedded in the binary, so that `otelcol-avika --config embedded:quickstart` needs none.
package config

import "embed"

// Files are the shipped configurations by file name.
//
//go:embed *.yaml
var Files embed.FS
