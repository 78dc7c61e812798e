// Package recordlimitprocessor keeps telemetry out of a pipeline that is larger than one message may be. It stands before an exporter that
// cuts batches by size and has no way with an item that is larger by itself, as the Kafka exporter.
package recordlimitprocessor

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
