// Package chbatchexporter writes logs, traces and metrics to ClickHouse: batch first, then queue, so that one entry of
// the queue is one insert, which is made exactly once.
package chbatchexporter

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
