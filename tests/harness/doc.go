// Package harness runs what is shipped against real servers: the built gateway with a shipped configuration, ClickHouse,
// PostgreSQL and NGINX on free loopback ports, and simulated agents. Everything that a test starts ends with the test,
// and what it logged is shown when the test fails.
//
// It builds nothing: `make build` puts the binaries into bin/.
package harness
