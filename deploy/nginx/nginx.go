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
	// Status is the server with stub_status.
	//
	//go:embed avika-status.conf
	Status string
	// BalancerGRPC and BalancerStream stand between agents and gateways.
	//
	//go:embed avika-balancer-grpc.conf
	BalancerGRPC string
	//go:embed avika-balancer-stream.conf
	BalancerStream string
)
