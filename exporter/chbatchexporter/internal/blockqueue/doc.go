// Package blockqueue stands between callers that bring rows and inserts into ClickHouse.
//
// Rows are appended to the open block of their table. A sealed block is a chunk: compressed, with an id, and with storage
// on disk before the callers whose rows it holds are told that they are safe. An insert is one chunk, or several small
// ones of a table in an order that is written down before the insert is first tried. So whatever happens, a retry sends
// the same bytes with the same token, and ClickHouse tells it from a new insert.
package blockqueue
