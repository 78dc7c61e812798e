package chbatchexporter

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/blockqueue"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/chconn"
)

// kind is what an error asks for.
type kind int

const (
	// unknown codes are tried again for a while, then taken for permanent.
	unknown kind = iota
	// later: ClickHouse cannot store anything now.
	later
	// throttled: ClickHouse asks for fewer inserts.
	throttled
	// stale: the table is not as it was when its columns were read.
	stale
	// gone: the table or the database does not exist.
	gone
	// mistyped: a column has a type that its values cannot be converted to.
	mistyped
	// bad: a value is refused.
	bad
)

// kinds by ClickHouse's error codes (system.errors).
var kinds = map[chconn.Code]kind{
	202: throttled, // TOO_MANY_SIMULTANEOUS_QUERIES
	241: throttled, // MEMORY_LIMIT_EXCEEDED
	252: throttled, // TOO_MANY_PARTS
	201: throttled, // QUOTA_EXCEEDED
	439: throttled, // CANNOT_SCHEDULE_TASK

	23: later, 24: later, 33: later, 74: later, 75: later, 76: later, // input and output
	40: later, 271: later, // a checksum or frame that was damaged on the way
	101: later, 159: later, 160: later, 164: later, 209: later, 210: later, 225: later, 236: later, 242: later, 243: later,
	193: later, 194: later, 516: later, 497: later, // user, password, rights: somebody will fix them
	285: later, 319: later, 394: later, 612: later, 999: later,
	203: later, 216: later, 286: later, 425: later, 668: later, 1000: later,
	173: later, 198: later, 279: later, 473: later, 499: later, 1001: later, 1002: later, // memory, DNS, other servers, locks, S3, the system

	60: gone, 81: gone, 218: gone, // UNKNOWN_TABLE, UNKNOWN_DATABASE, TABLE_IS_DROPPED

	8: stale, 10: stale, 16: stale, 47: stale, // a column is not there
	44: stale, // a column that cannot be inserted into

	43: mistyped, 48: mistyped, 53: mistyped, 70: mistyped, // there is no conversion between the types

	6: bad, 25: bad, 26: bad, 27: bad, 32: bad, 36: bad, 38: bad, 41: bad, 69: bad, 72: bad, 117: bad, 128: bad, 130: bad,
	131: bad, 153: bad, 190: bad, 321: bad, 349: bad, 376: bad, 395: bad, 407: bad, 441: bad, 467: bad, 469: bad, 675: bad, 676: bad, 691: bad,
}

// maxUnknown is how often an insert is tried that fails with an unknown code.
const maxUnknown = 10

// classify says what an attempt that failed means for the insert.
func classify(err error, attempt int) (blockqueue.Outcome, kind) {
	var server *chconn.Error
	if !errors.As(err, &server) {
		// The connection failed: whether the rows are stored depends on when.
		return blockqueue.Outcome{Class: blockqueue.Retry, Code: networkCode(err), Err: err}, later
	}
	k := kinds[server.Code]
	o := blockqueue.Outcome{Class: blockqueue.Retry, Code: strconv.Itoa(int(server.Code)), Err: err}
	switch {
	case k == throttled:
		o.Class = blockqueue.Throttle
	case k == bad, k == mistyped, k == unknown && attempt >= maxUnknown:
		o.Class = blockqueue.Permanent
	}
	return o, k
}

// networkCode names what is no answer of ClickHouse, for metrics.
func networkCode(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "network"
}
