package chconn

import "fmt"

// Code is a ClickHouse error code, as system.errors lists them.
type Code int32

// Error is an exception that ClickHouse answered with: it has the statement and refuses it.
type Error struct {
	Code    Code
	Name    string
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("ClickHouse: code %d: %s", e.Code, e.Message) }
