// Package nginx holds the NGINX configuration snippets for hosts with an agent. They are files to copy; the quick start
// and the tests use the same text.
package nginx

import _ "embed"

var (
	// LogFormat defines the log format avika (JSON).
	//
	//go:embed avika-log-format.conf
	LogFormat string
	// CombinedLogFormat defines the log format avika_combined.
	//
	//go:embed avika-log-format-combined.conf
	CombinedLogFormat string
)
