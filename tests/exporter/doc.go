// Package exporter shows what the ch_batch exporter promises while ClickHouse, the network, the disk or the gateway
// itself fails. The built gateway runs with the shipped quickstart configuration; clients send OTLP logs in which every
// row has an id of its own, and at the end lost and doubled rows are counted in the real ClickHouse.
//
// Outages are short by default; AVIKA_FAULT_LONG=1 runs them at full length (60 s, 10 minutes).
package exporter
