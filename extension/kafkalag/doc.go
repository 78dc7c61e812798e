// Package kafkalag reports how far a consumer group is behind the ends of its topics, as the brokers know it.
package kafkalag

//go:generate go tool -modfile=../../internal/tools/go.mod mdatagen metadata.yaml
