// Package agentregistry is the collector extension that knows the fleet: which agents there are, which gateway holds them,
// what they say of themselves, and what people ask of them. Receivers reach it through package agentsession.
package agentregistry

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
