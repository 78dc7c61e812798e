// Package otlpencoding is OTLP protobuf for receivers that take an encoding extension, as the Kafka receiver does. What cannot be
// read is kept aside as a file, so that the receiver goes on with what comes after it.
package otlpencoding

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
