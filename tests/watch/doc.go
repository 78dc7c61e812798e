// Package watch tests what operators look at, against a running gateway with agents, a real ClickHouse and a real
// Prometheus: every dashboard panel returns data, every metric is documented, every alert fires and is quiet, every
// command and query of the documents runs.
package watch
