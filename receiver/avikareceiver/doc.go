// Package avikareceiver receives logs, metrics and spans of NGINX from Avika agents.
//
// Agents dial the gateway and keep one gRPC stream open. What they send becomes OpenTelemetry data; what
// they say of themselves goes to the agent registry, when one is configured, and its commands go back to them.
package avikareceiver

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
