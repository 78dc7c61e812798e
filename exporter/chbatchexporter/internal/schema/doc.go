// Package schema creates and migrates the tables that the exporter writes, and reads which columns they have.
package schema
