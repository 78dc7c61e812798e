// Package kafka tests the way through a queue, from agents through ingest.yaml, a broker and writer.yaml into ClickHouse, and its faults.
//
// The broker is kfake in this process; `make test-kafka` runs the same tests, and those that end the broker or move partitions again and again, with Apache Kafka. KAFKA_BROKERS
// names a broker that is there already. AVIKA_FAULT_LONG=1 makes faults as long as they are in docs/queueing.md.
package kafka
