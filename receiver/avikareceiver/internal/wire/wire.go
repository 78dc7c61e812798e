// Package wire reads what agents put on the stream, straight from the received buffer.
//
// A log entry is the message that arrives once per request an NGINX serves, so it is decoded by hand: no reflection, no
// copies, no allocation. All byte slices point into the buffer that was decoded. So are samples and heartbeats, which every agent sends
// every second. Rare messages are left as bytes for the generated code. Unlike generated code it accepts invalid UTF-8 in log
// entries, because hostile clients write it into log lines; whoever keeps the text has to repair it.
package wire

import (
	"errors"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformed is returned for bytes that are not the message they should be.
var ErrMalformed = errors.New("malformed message")

// Kind says which payload a message carries. The values are the field numbers in AgentMessage.
type Kind uint8

const (
	KindNone          Kind = 0
	KindHeartbeat     Kind = 3
	KindCommandResult Kind = 4
	KindState         Kind = 5
	KindLogEntry      Kind = 6
	KindMetrics       Kind = 7
)

// Message is an AgentMessage whose payload is still encoded.
type Message struct {
	AgentID []byte
	// Timestamp is in Unix seconds.
	Timestamp int64
	Kind      Kind
	Payload   []byte
}

// Unmarshal replaces m by the message in b.
func (m *Message) Unmarshal(b []byte) error {
	*m = Message{}
	for len(b) > 0 {
		num, typ, n := consumeTag(b)
		if n <= 0 {
			return ErrMalformed
		}
		b = b[n:]
		switch {
		case typ == protowire.BytesType:
			var value []byte
			if value, n = consumeBytes(b); n > 0 {
				m.setBytes(num, value)
			}
		case num == 2 && typ == protowire.VarintType:
			var value uint64
			value, n = consumeVarint(b)
			m.Timestamp = int64(value)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n <= 0 {
			return ErrMalformed
		}
		b = b[n:]
	}
	return nil
}

func (m *Message) setBytes(num protowire.Number, value []byte) {
	switch {
	case num == 1:
		m.AgentID = value
	case num < protowire.Number(KindHeartbeat) || num > protowire.Number(KindMetrics):
	case m.Kind == Kind(num):
		// A payload that comes in pieces is merged, which on the wire is concatenation.
		m.Payload = append(m.Payload[:len(m.Payload):len(m.Payload)], value...)
	default:
		m.Kind, m.Payload = Kind(num), value
	}
}

// Text is where a text stands in the message. Offsets instead of slices keep a decoded entry free of pointers, which the
// garbage collector would have to be told of.
type Text struct {
	from, to uint32
}

// Empty reports whether there is no text.
func (t Text) Empty() bool { return t.from == t.to }

// LogEntry is a LogEntry message.
type LogEntry struct {
	encoded []byte

	// Timestamp is in Unix seconds.
	Timestamp     int64
	BodyBytesSent int64
	Status        int32

	// Times are in seconds.
	RequestTime          float32
	UpstreamConnectTime  float32
	UpstreamHeaderTime   float32
	UpstreamResponseTime float32

	LogType        Text
	Content        Text
	RemoteAddr     Text
	RequestMethod  Text
	RequestURI     Text
	RequestID      Text
	UpstreamAddr   Text
	UpstreamStatus Text
	Referer        Text
	UserAgent      Text
	ForwardedFor   Text
}

// Bytes returns a text of the entry. It points into the message that was decoded.
func (e *LogEntry) Bytes(t Text) []byte { return e.encoded[t.from:t.to:t.to] }

// Unmarshal replaces e by the entry in b, which must be shorter than 4 GiB.
func (e *LogEntry) Unmarshal(b []byte) error {
	*e = LogEntry{encoded: b}
	for i := 0; i < len(b); {
		num, typ, n := consumeTag(b[i:])
		if n <= 0 {
			return ErrMalformed
		}
		i += n
		switch typ {
		case protowire.BytesType:
			var value []byte
			if value, n = consumeBytes(b[i:]); n > 0 {
				end := i + n
				e.setText(num, Text{uint32(end - len(value)), uint32(end)})
			}
		case protowire.VarintType:
			var value uint64
			if value, n = consumeVarint(b[i:]); n > 0 {
				e.setVarint(num, value)
			}
		case protowire.Fixed32Type:
			var value uint32
			if value, n = protowire.ConsumeFixed32(b[i:]); n > 0 {
				e.setFloat(num, math.Float32frombits(value))
			}
		default:
			n = protowire.ConsumeFieldValue(num, typ, b[i:])
		}
		if n <= 0 {
			return ErrMalformed
		}
		i += n
	}
	return nil
}

func (e *LogEntry) setText(num protowire.Number, value Text) {
	switch num {
	case 2:
		e.LogType = value
	case 3:
		e.Content = value
	case 4:
		e.RemoteAddr = value
	case 5:
		e.RequestMethod = value
	case 6:
		e.RequestURI = value
	case 10:
		e.RequestID = value
	case 11:
		e.UpstreamAddr = value
	case 12:
		e.UpstreamStatus = value
	case 16:
		e.Referer = value
	case 17:
		e.UserAgent = value
	case 18:
		e.ForwardedFor = value
	}
}

func (e *LogEntry) setVarint(num protowire.Number, value uint64) {
	switch num {
	case 1:
		e.Timestamp = int64(value)
	case 7:
		e.Status = int32(value)
	case 8:
		e.BodyBytesSent = int64(value)
	}
}

func (e *LogEntry) setFloat(num protowire.Number, value float32) {
	switch num {
	case 9:
		e.RequestTime = value
	case 13:
		e.UpstreamConnectTime = value
	case 14:
		e.UpstreamHeaderTime = value
	case 15:
		e.UpstreamResponseTime = value
	}
}

// The consume functions below are protowire's with the usual short forms in front. They return a length that is
// not positive when b does not start with what they read.

func consumeTag(b []byte) (protowire.Number, protowire.Type, int) {
	if tag := b[0]; tag < 0x80 {
		if tag < 1<<3 {
			return 0, 0, -1
		}
		return protowire.Number(tag >> 3), protowire.Type(tag & 7), 1
	}
	if len(b) > 1 && b[1] < 0x80 {
		if tag := uint(b[0]&0x7f) | uint(b[1])<<7; tag >= 1<<3 {
			return protowire.Number(tag >> 3), protowire.Type(tag & 7), 2
		}
		return 0, 0, -1
	}
	num, typ, n := protowire.ConsumeTag(b)
	if num > protowire.MaxValidNumber {
		return 0, 0, -1
	}
	return num, typ, n
}

func consumeVarint(b []byte) (uint64, int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return protowire.ConsumeVarint(b)
}

func consumeBytes(b []byte) ([]byte, int) {
	if len(b) == 0 {
		return nil, -1
	}
	length, from := uint(b[0]), uint(1)
	if length >= 0x80 {
		if len(b) < 2 || b[1] >= 0x80 {
			return protowire.ConsumeBytes(b)
		}
		length, from = length&0x7f|uint(b[1])<<7, 2
	}
	end := from + length
	if end > uint(len(b)) {
		return nil, -1
	}
	return b[from:end:end], int(end)
}
