// Package localstack starts real servers for tests and for the quick start, without containers: ClickHouse, PostgreSQL,
// NGINX and Kafka on loopback ports, each with a data folder of its own.
//
// Every server waits until it answers, can be killed, frozen, resumed and restarted on the same ports and data, and dies
// with the process that started it (on Linux also when that one is killed with SIGKILL).
package localstack
