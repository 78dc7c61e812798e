package blockqueue

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
)

// Settings of a queue.
type Settings struct {
	Logger *zap.Logger
	// MaxRows and MaxBytes (before compression) of a block.
	MaxRows, MaxBytes int
	// MaxDays is how many days, which are partitions, a block may span.
	MaxDays int
	// FlushInterval is the longest wait of a row for its block to fill while a worker is idle.
	FlushInterval time.Duration
	// InsertInterval is the shortest time between inserts into a table that are not full; 0: there is none.
	InsertInterval time.Duration
	// QueueRows and QueueBytes bound all rows that are not inserted yet.
	QueueRows, QueueBytes int
	// MemoryBytes bounds the chunks that are kept in memory beside their copy on disk.
	MemoryBytes int
	// Block makes callers wait while the queue is full; else they get ErrFull.
	Block bool
	// WaitForResult makes callers wait until their rows are inserted.
	WaitForResult bool
	// Workers is how many inserts run at the same time.
	Workers int
	// Storage keeps chunks on disk; nil: they are in memory only.
	Storage storage.Client
	// Compression of blocks, a method of nativeblock.
	Compression string
	// Retry says how to wait between attempts.
	Retry configretry.BackOffConfig
	// DrainTimeout bounds how long Shutdown goes on inserting.
	DrainTimeout time.Duration
	// NewBuilder makes a builder of rows for a table.
	NewBuilder func(table string) rows.Builder
	// Inserter talks to ClickHouse.
	Inserter Inserter
	// DeadLetter takes rows that cannot be inserted.
	DeadLetter DeadLetter
	// Observer is told what happens.
	Observer Observer
	// ShardName and ShardIndex translate shards for what is stored, because the order of endpoints may change.
	ShardName  func(shard int) string
	ShardIndex func(name string) int
}

// Inserter makes one attempt to insert blocks of one table with a token. It must send them in this order, as one insert.
type Inserter interface {
	Insert(ctx context.Context, r Request) Outcome
}

// Request is an attempt to insert.
type Request struct {
	Table  string
	Shard  int
	Token  string
	Blocks []*nativeblock.Sealed
	// Attempt counts from 1.
	Attempt int
	// Movable: no earlier attempt can have stored the rows, so that another shard may take them.
	Movable bool
	// Doubtful: there was an earlier attempt, or may have been. It may have ended between the token and the rows, so that
	// what ClickHouse calls a duplicate has to be looked for.
	Doubtful bool
}

// Class of an outcome.
type Class int

// What to do after an attempt.
const (
	Stored    Class = iota
	Retry           // try again later
	Throttle        // try again later, with fewer and larger inserts from now on
	Permanent       // this will never be stored as it is
)

// Outcome of an attempt.
type Outcome struct {
	Class Class
	// Code of the error, for metrics. With Stored: of a view that lacks the rows.
	Code string
	Err  error
	// Duplicate: ClickHouse had the rows already, or says so.
	Duplicate bool
	// Check of a duplicate in doubt.
	Check Check
	// Restored rows were lost although ClickHouse called them a duplicate, and were inserted now.
	Restored int
	// Unsure: the rows may be stored although there was an error.
	Unsure bool
}

// Check says what was found when the rows of a duplicate in doubt were looked for.
type Check string

// What a check finds; empty: there was none.
const (
	CheckStored   Check = "stored"   // the rows are there
	CheckRestored Check = "restored" // they were not, and are now
	CheckUnknown  Check = "unknown"  // ClickHouse does not let them be looked for
)

// DeadLetter keeps rows that cannot be inserted. The same id may come again with the same rows.
type DeadLetter interface {
	// Rows of a table on the shard of this name; cause is why.
	Rows(table, shard, id string, block *nativeblock.Sealed, cause error) error
	// Raw is an entry of the storage that cannot be read.
	Raw(id string, entry []byte, cause error) error
}

// Unreadable stands for the table of an entry of the storage that cannot be read. Each counts as a row: how many it holds is not known.
const Unreadable = "unreadable"

// Observer is told what happens, for metrics. Implementations do not block.
type Observer interface {
	Inserted(table string, rows, bytes int, took time.Duration, o Outcome)
	// Stored rows are watched in samples: these are the times of some.
	Stored(table string, sampled []pcommon.Timestamp)
	// Written is a write to the storage, whether or not it succeeded.
	Written(took time.Duration)
	Failed(table string, o Outcome)
	DeadLettered(table string, rows int)
	Lost(table string, rows int)
}

// ErrFull is returned while the queue is full. Try again later.
var ErrFull = errors.New("the queue is full")

// ErrClosed is returned after Shutdown has begun.
var ErrClosed = errors.New("the exporter is shut down")

// ErrRejected is the outcome of rows that ClickHouse rejects and that are in the dead letters.
var ErrRejected = errors.New("ClickHouse rejects rows")

// ErrLost is the outcome of rows that ClickHouse rejects and that could not be kept.
var ErrLost = errors.New("rows are lost")
