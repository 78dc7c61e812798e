// Package wireform writes agent messages as protobuf without going through generated code: log lines may hold bytes
// that are not UTF-8, which stock agents send and proto.Marshal refuses.
package wireform

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// Field numbers of AgentMessage.
const (
	FieldAgentID   protowire.Number = 1
	FieldTimestamp protowire.Number = 2
	FieldHeartbeat protowire.Number = 3
	FieldState     protowire.Number = 5
	FieldLogEntry  protowire.Number = 6
	FieldMetrics   protowire.Number = 7
)

// AppendMessage appends an AgentMessage whose payload is already encoded.
func AppendMessage(b []byte, agentID string, unixSeconds int64, field protowire.Number, payload []byte) []byte {
	b = appendString(b, FieldAgentID, agentID)
	b = appendInt(b, FieldTimestamp, unixSeconds)
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, payload)
}

// AppendPayload appends an AgentMessage holding m, which must be valid UTF-8 throughout.
func AppendPayload(b []byte, agentID string, unixSeconds int64, field protowire.Number, m proto.Message) ([]byte, error) {
	payload, err := proto.Marshal(m)
	if err != nil {
		return b, err
	}
	return AppendMessage(b, agentID, unixSeconds, field, payload), nil
}

// AppendLogEntry appends the fields of e in the order of their numbers, leaving out zero values as proto3 does.
func AppendLogEntry(b []byte, e *agentv1.LogEntry) []byte {
	b = appendInt(b, 1, e.Timestamp)
	b = appendString(b, 2, e.LogType)
	b = appendString(b, 3, e.Content)
	b = appendString(b, 4, e.RemoteAddr)
	b = appendString(b, 5, e.RequestMethod)
	b = appendString(b, 6, e.RequestUri)
	b = appendInt(b, 7, int64(e.Status))
	b = appendInt(b, 8, e.BodyBytesSent)
	b = appendFloat(b, 9, e.RequestTime)
	b = appendString(b, 10, e.RequestId)
	b = appendString(b, 11, e.UpstreamAddr)
	b = appendString(b, 12, e.UpstreamStatus)
	b = appendFloat(b, 13, e.UpstreamConnectTime)
	b = appendFloat(b, 14, e.UpstreamHeaderTime)
	b = appendFloat(b, 15, e.UpstreamResponseTime)
	b = appendString(b, 16, e.Referer)
	b = appendString(b, 17, e.UserAgent)
	return appendString(b, 18, e.XForwardedFor)
}

func appendString(b []byte, n protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func appendInt(b []byte, n protowire.Number, v int64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), uint64(v))
}

func appendFloat(b []byte, n protowire.Number, v float32) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendFixed32(protowire.AppendTag(b, n, protowire.Fixed32Type), math.Float32bits(v))
}
