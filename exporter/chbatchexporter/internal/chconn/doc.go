// Package chconn speaks ClickHouse's native protocol as far as an exporter needs it: statements, small results, and
// inserts of blocks that are compressed already (ch-go's client compresses rows itself, at each attempt).
package chconn
