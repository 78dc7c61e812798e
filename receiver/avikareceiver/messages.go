package avikareceiver

import (
	"bytes"
	"fmt"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/internal/agentid"
	"github.com/avika-ai/avika-collector/proto/agentv1"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/translate"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/wire"
)

const (
	// maxAgentID is longer than a host name and an address can be.
	maxAgentID = 320
	// maxReport is larger than any heartbeat, sample or snapshot; it bounds the work that a single one can make.
	maxReport = 1 << 20
	// maxMalformed is how many messages of a stream may make no sense before it is closed.
	maxMalformed = 100
)

// Take takes in one message. It is called by one goroutine at a time. Without wait it does not block: it reports false when the
// pipeline is behind. An error ends the stream.
func (s *stream) Take(encoded []byte, wait bool) (taken bool, err error) {
	if s.message.Unmarshal(encoded) != nil {
		err := s.refuseMessage(refusedMalformed)
		return err == nil, err
	}
	if !bytes.Equal(s.message.AgentID, s.id) || s.agent == nil {
		if err := s.identify(); err != nil {
			return false, err
		}
	}
	answer, err := s.dispatch(len(encoded), wait)
	if err != nil || answer == later {
		return false, err
	}
	s.counts.kinds[s.message.Kind].Add(1)
	return true, nil
}

func (s *stream) dispatch(size int, wait bool) (admission, error) {
	switch s.message.Kind {
	case wire.KindLogEntry:
		return s.logEntry(size, wait), nil
	case wire.KindHeartbeat:
		return admitted, s.heartbeat()
	case wire.KindMetrics:
		return s.metrics(size, wait)
	case wire.KindState:
		return admitted, s.state()
	case wire.KindCommandResult:
		return admitted, s.commandResult()
	default:
		return admitted, nil // agents may learn to send more; what is not known is not needed
	}
}

// now returns the time, and keeps it as that of the last message.
func (s *stream) now() int64 {
	now := time.Now().UnixNano()
	s.received.Store(now)
	return now
}

// refuseMessage counts a message that makes no sense. The agent counts it as sent and goes on, so its stream
// is only closed when it sends nothing else.
func (s *stream) refuseMessage(reason string) error {
	s.receiver.telemetry.refusedMessage(reason, s.agentID)
	if s.malformed++; s.malformed > maxMalformed {
		return s.receiver.refuse(reason, codes.InvalidArgument, "too many messages that are not the agent protocol's")
	}
	return nil
}

// identify checks the id of a message: it must be the authenticated one, and the same for the whole stream.
func (s *stream) identify() error {
	r, id := s.receiver, string(s.message.AgentID)
	if !validAgentID(id) {
		return r.refuse(refusedAgentID, codes.InvalidArgument, fmt.Sprintf("agent_id %.40q must be 1 to 320 printable characters, and neither . nor ..", id))
	}
	canonical := agentid.Canonical(id)
	if s.identity.agentID != "" && canonical != s.identity.agentID {
		return r.refuse(refusedIdentity, codes.PermissionDenied, fmt.Sprintf("agent_id %q is not the authenticated agent's, which is %q", id, s.identity.agentID))
	}
	if s.agent != nil && canonical != s.agentID {
		return r.refuse(refusedIdentity, codes.PermissionDenied, fmt.Sprintf("agent_id changed within the stream, from %q to %q", s.agentID, id))
	}
	s.id = []byte(id)
	if s.agent != nil {
		return nil
	}
	s.agentID = canonical
	s.agent = translate.NewAgent(&r.translation, canonical)
	s.outlet.ctx = r.withPartition(s.outlet.ctx, canonical) // nothing is with the pipeline yet
	return s.openSession()
}

// validAgentID refuses, besides what nobody can read, the ids that browsers take for a way through an address.
func validAgentID(id string) bool {
	if id == "" || id == "." || id == ".." || len(id) > maxAgentID || !utf8.ValidString(id) {
		return false
	}
	for _, c := range id {
		if !unicode.IsPrint(c) {
			return false
		}
	}
	return true
}

func (s *stream) openSession() error {
	if s.receiver.registry == nil {
		return nil
	}
	ctx := s.connection.Context()
	session, err := s.receiver.registry.Open(ctx, agentsession.Peer{
		AgentID: s.agentID, Hostname: s.identity.hostname, Address: peerAddress(peer.FromContext(ctx)),
		Authentication: s.identity.authentication,
	})
	if err != nil {
		return s.receiver.endedBy(err, s.who())
	}
	s.session = session
	s.opened <- session
	return nil
}

func peerAddress(p *peer.Peer, ok bool) string {
	if !ok || p.Addr == nil {
		return ""
	}
	return p.Addr.String()
}

// entriesPerClock is how many log entries of a batch share a time of receipt, because asking for the time costs more
// than all else that is done with an entry here.
const entriesPerClock = 8

func (s *stream) logEntry(size int, wait bool) admission {
	if s.session != nil && s.session.Tailing() && s.takenByTail() {
		s.now()
		return admitted
	}
	answer := s.outlet.log(s, s.message.Payload, size, wait)
	s.offered = answer == later
	return answer
}

// takenByTail offers the entry to those who follow the agent's log, once.
func (s *stream) takenByTail() bool {
	if s.offered {
		return false
	}
	var entry agentv1.LogEntry
	if proto.Unmarshal(s.message.Payload, &entry) != nil {
		return false // not valid UTF-8: nobody can have asked for it, and it is stored
	}
	return s.session.TakeLog(&entry)
}

// decode reads a report with the generated code, or says why it is refused.
func (s *stream) decode(report proto.Message) string {
	return s.decodeWith(func(b []byte) error { return proto.Unmarshal(b, report) })
}

func (s *stream) decodeWith(unmarshal func([]byte) error) string {
	switch {
	case len(s.message.Payload) > maxReport:
		s.receiver.telemetry.limit("report", "Refused a heartbeat, sample or snapshot of more than 1 MiB", s.who())
		return refusedSize
	case unmarshal(s.message.Payload) != nil:
		return refusedMalformed
	default:
		return ""
	}
}

func (s *stream) heartbeat() error {
	s.now()
	digest, uptime, ok := wire.HeartbeatDigest(s.message.Payload)
	if ok && digest == s.facts && (s.session == nil || s.session.Unchanged(time.Unix(s.message.Timestamp, 0), uptime)) {
		s.agent.Unchanged(s.message.Timestamp)
		s.countLabels()
		return nil
	}
	message := &agentv1.Heartbeat{}
	if reason := s.decode(message); reason != "" {
		return s.refuseMessage(reason)
	}
	if s.agent.Newest(s.message.Timestamp) {
		s.facts = digest
	}
	s.labelsLeftOut = s.agent.Heartbeat(s.message.Timestamp, message) > 0
	s.countLabels()
	if s.session != nil {
		s.session.Heartbeat(time.Unix(s.message.Timestamp, 0), message)
	}
	return nil
}

func (s *stream) countLabels() {
	if s.labelsLeftOut {
		s.receiver.telemetry.limit("labels", "Left out labels of an agent that has more than limits::labels", s.who())
	}
}

// decodedMetrics keeps messages for reuse: each goroutine that reads needs one, not each stream.
var decodedMetrics = sync.Pool{New: func() any { return new(wire.Metrics) }}

func (s *stream) metrics(size int, wait bool) (admission, error) {
	now := s.now()
	message := decodedMetrics.Get().(*wire.Metrics)
	defer decodedMetrics.Put(message)
	if reason := s.decodeWith(message.Unmarshal); reason != "" {
		return admitted, s.refuseMessage(reason)
	}
	answer := s.outlet.metrics(s, message, now, size, wait)
	if s.session != nil && answer == admitted {
		s.session.Metrics(time.Unix(s.message.Timestamp, 0), message.TotalRequests)
	}
	return answer, nil
}

func (s *stream) state() error {
	s.now()
	message := &agentv1.StateSnapshot{}
	if reason := s.decode(message); reason != "" {
		return s.refuseMessage(reason)
	}
	if s.session != nil {
		s.session.State(time.Unix(s.message.Timestamp, 0), message)
	}
	return nil
}

func (s *stream) commandResult() error {
	s.now()
	message := &agentv1.CommandResult{}
	if reason := s.decode(message); reason != "" {
		return s.refuseMessage(reason)
	}
	if s.session != nil {
		s.session.CommandResult(message)
	}
	return nil
}
