package chconn

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
)

// Setting of a statement.
type Setting struct{ Key, Value string }

// Statement is SQL with its settings.
type Statement struct {
	ID       string // query_id; empty: the server makes one
	SQL      string
	Settings []Setting
}

// Summary is what is known of an insert.
type Summary struct {
	// Sent: some data may have reached ClickHouse. It asks for them when it has accepted the statement: what failed before has stored nothing.
	Sent bool
	// Duplicates is the number of blocks that were there already.
	Duplicates int64
}

// Exec runs a statement without a result.
func (c *Conn) Exec(ctx context.Context, s Statement) error {
	return c.Query(ctx, s, nil, nil)
}

// Query runs a statement and calls onBlock for each block of rows that it decoded into result.
func (c *Conn) Query(ctx context.Context, s Statement, result proto.Result, onBlock func(rows int) error) error {
	defer c.watch(ctx)()
	c.encodeQuery(s)
	err := c.flush()
	if err == nil {
		err = c.readAnswer(&answer{result: result, onBlock: onBlock})
	}
	return c.finish(ctx, err)
}

// Block is the body of a Data packet, complete and compressed. Sending uses it up.
type Block = net.Buffers

// Insert sends an INSERT statement and the blocks, and waits until ClickHouse has stored them. After an error the rows may be stored if
// any were sent: an *Error may be that of a view, or of a replica, which comes when the table has them.
func (c *Conn) Insert(ctx context.Context, s Statement, blocks []Block) (Summary, error) {
	defer c.watch(ctx)()
	var sum Summary
	c.encodeQuery(s)
	err := c.flush()
	if err == nil {
		err = c.readAnswer(&answer{untilData: true})
	}
	if err == nil {
		sum.Sent = true
		err = c.sendBlocks(blocks)
	}
	// When sending fails the server may have said why before it closed.
	var server *Error
	if !errors.As(err, &server) {
		if readErr := c.readAnswer(&answer{summary: &sum}); err == nil || errors.As(readErr, &server) {
			err = readErr
		}
	}
	return sum, c.finish(ctx, err)
}

func (c *Conn) finish(ctx context.Context, err error) error {
	if err != nil {
		c.broken = true
		return cause(ctx, err)
	}
	return nil
}

func (c *Conn) sendBlocks(blocks []Block) error {
	for _, b := range blocks {
		c.encodeDataHeader()
		if err := c.flush(); err != nil {
			return err
		}
		if _, err := b.WriteTo(c.net); err != nil {
			return err
		}
	}
	c.encodeEmptyBlock()
	return c.flush()
}

func (c *Conn) encodeQuery(s Statement) {
	settings := make([]proto.Setting, len(s.Settings))
	for i, x := range s.Settings {
		// Not important: an older server that does not know a setting ignores it.
		settings[i] = proto.Setting{Key: x.Key, Value: x.Value}
	}
	proto.Query{
		ID: s.ID, Body: s.SQL, Stage: proto.StageComplete, Compression: proto.CompressionEnabled, Settings: settings,
		Info: proto.ClientInfo{
			ProtocolVersion: protocolVersion, Major: 1, Interface: proto.InterfaceTCP, Query: proto.ClientQueryInitial,
			InitialQueryID: s.ID, InitialAddress: c.net.LocalAddr().String(), ClientName: clientName,
		},
	}.EncodeAware(&c.buf, protocolVersion)
	c.encodeEmptyBlock() // no external tables
}

func (c *Conn) encodeDataHeader() {
	proto.ClientCodeData.Encode(&c.buf)
	proto.ClientData{}.EncodeAware(&c.buf, protocolVersion)
}

func (c *Conn) encodeEmptyBlock() {
	c.encodeDataHeader()
	c.buf.Buf = append(c.buf.Buf, emptyBlock...)
}

// emptyBlock is the compressed body of a block without columns and rows, which ends the data.
var emptyBlock = func() []byte {
	var b proto.Buffer
	proto.Block{Info: proto.BlockInfo{BucketNum: -1}}.EncodeAware(&b, protocolVersion)
	w := compress.NewWriter(compress.LevelZero, compress.None)
	if err := w.Compress(b.Buf); err != nil {
		panic(err) // cannot fail on 10 bytes
	}
	return w.Data
}()

// answer says what to do with the packets of the server.
type answer struct {
	untilData bool // return at the first block, which describes the table
	result    proto.Result
	onBlock   func(rows int) error
	summary   *Summary
}

func (c *Conn) readAnswer(a *answer) error {
	for {
		code, err := c.packet()
		if err != nil {
			return err
		}
		switch code {
		case proto.ServerCodeEndOfStream:
			return nil
		case proto.ServerCodeException:
			return c.exception()
		case proto.ServerCodeData:
			err = c.readData(a)
			if err == nil && a.untilData {
				return nil
			}
		default:
			err = c.readOther(code, a)
		}
		if err != nil {
			return err
		}
	}
}

func (c *Conn) readData(a *answer) error {
	rows, err := c.readBlock(true, a.result)
	if err == nil && rows > 0 && a.onBlock != nil {
		err = a.onBlock(rows)
	}
	return err
}

func (c *Conn) readOther(code proto.ServerCode, a *answer) error {
	switch code {
	case proto.ServerCodeProgress:
		return new(proto.Progress).DecodeAware(c.r, protocolVersion)
	case proto.ServerCodeProfile:
		return new(proto.Profile).DecodeAware(c.r, protocolVersion)
	case proto.ServerCodeTableColumns:
		return new(proto.TableColumns).DecodeAware(c.r, protocolVersion)
	case proto.ServerProfileEvents:
		return c.readEvents(a.summary)
	case proto.ServerCodeTotals, proto.ServerCodeExtremes:
		_, err := c.readBlock(true, a.result)
		return err
	case proto.ServerCodeLog:
		var logs proto.Logs
		_, err := c.readBlock(false, logs.Result())
		return err
	}
	return fmt.Errorf("unexpected packet %d", code)
}

// duplicateEvent is the counter of ClickHouse that tells a block that was there already from a new one.
const duplicateEvent = "DuplicatedInsertedBlocks"

func (c *Conn) readEvents(sum *Summary) error {
	var events proto.ProfileEvents
	rows, err := c.readBlock(false, events.Result())
	if err != nil || sum == nil || rows == 0 {
		return err
	}
	all, err := events.All()
	if err != nil {
		return err
	}
	for i := range all {
		if all[i].Name == duplicateEvent && all[i].Type == proto.ProfileIncrement {
			sum.Duplicates += all[i].Value
		}
	}
	return nil
}

func (c *Conn) readBlock(compressed bool, result proto.Result) (rows int, err error) {
	if _, err := c.r.Str(); err != nil { // name of a temporary table
		return 0, err
	}
	if compressed {
		c.r.EnableCompression()
		defer c.r.DisableCompression()
	}
	var b proto.Block
	if err := b.DecodeBlock(c.r, protocolVersion, result); err != nil {
		return 0, err
	}
	return b.Rows, nil
}
