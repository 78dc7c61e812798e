// Package e2e runs the built gateway with the shipped configurations on real input: an NGINX with an agent on its log,
// a simulated fleet, and OTLP.
package e2e
