package avikareceiver

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/streamtap"
)

// The protocol knows no acknowledgement: a message that gRPC's client has taken counts as sent. So a stream that the gateway ends, because it shuts down
// or because the connection is old, is drained first; docs/adr/017 says why nothing is lost then.

// Why the gateway ends a stream that could go on.
var (
	errShuttingDown = status.Error(codes.Unavailable, "the gateway is shutting down; connect to another one")
	errTooOld       = status.Error(codes.Unavailable, "the connection has reached max_connection_age; connect again")
)

const (
	drainTick = 10 * time.Millisecond
	// lingerTime is how long an agent may take to read that its stream has ended.
	lingerTime = 3 * time.Second
	// Of streams that are read through gRPC nothing is taken after their end. They are ended in a moment of silence, for which
	// busyTime is waited at most.
	quietTime = 50 * time.Millisecond
	busyTime  = time.Second
)

// drain takes in what is under way and then ends the stream, with why as its status.
func (s *stream) drain(why error) error {
	d := &drain{stream: s}
	d.begin(why)
	draining := s.receiver.draining
	if why == errShuttingDown {
		draining = nil
	}
	ticker := time.NewTicker(drainTick)
	defer ticker.Stop()
	for {
		select {
		case err := <-s.done:
			return err
		case <-s.gone:
			return status.FromContextError(s.connection.Context().Err()).Err()
		case <-draining:
			d.begin(errShuttingDown)
			draining = nil
		case now := <-ticker.C:
			if d.ready(now) {
				return d.end()
			}
		}
	}
}

// drain is the state of a stream that is going to end.
type drain struct {
	*stream
	why   error
	start time.Time
	// limit is how long it may take, zero without end.
	limit time.Duration
}

// begin may be called again, when the gateway shuts down while a stream is drained.
func (d *drain) begin(why error) {
	d.why, d.start = why, time.Now()
	if d.limit = d.receiver.config.ShutdownTimeout / 2; why == errTooOld {
		d.limit = d.receiver.config.age().MaxConnectionAgeGrace / 2
	}
}

// ready reports whether the stream can be ended.
func (d *drain) ready(now time.Time) bool {
	switch {
	case d.late(now, 1):
		return true
	case d.tapped == nil:
		return d.silent(now)
	default:
		return d.mayEnd(now)
	}
}

// late reports whether a part of the time is over.
func (d *drain) late(now time.Time, part float64) bool {
	return d.limit > 0 && now.Sub(d.start) >= time.Duration(float64(d.limit)*part)
}

// mayEnd waits for the pipeline to catch up. The stream of an agent that always has more to send is ended when half of the time is over, and
// there is memory for what that holds back.
func (d *drain) mayEnd(now time.Time) bool {
	if !d.paused.Load() && !d.tapped.Behind() {
		return true
	}
	if d.reserved == 0 && d.late(now, 0.5) && d.receiver.pending.try(streamtap.LateWindow) {
		d.reserved = streamtap.LateWindow
	}
	return d.reserved > 0
}

// silent reports whether nothing has come for a while from an agent that is read.
func (d *drain) silent(now time.Time) bool {
	silent := time.Duration(now.UnixNano() - d.received.Load())
	return !d.paused.Load() && (silent >= quietTime || now.Sub(d.start) >= busyTime)
}

func (d *drain) end() error {
	if d.tapped != nil {
		d.lingering = d.tapped.Linger()
	}
	return d.why
}

// stopReading ends the taking of messages, at once or when no more can come.
func (s *stream) stopReading() {
	switch {
	case s.lingering != nil:
		s.receiver.work.Go(s.linger)
		return
	case s.tapped != nil:
		s.tapped.Detach()
	}
	s.ended()
}

// ended gives back what the stream took of the receiver's limits.
func (s *stream) ended() {
	s.receiver.pending.release(s.reserved)
	s.receiver.streams.remove(s)
}

// linger takes what the agent has sent before it read of its stream's end. Then the agent can be sent away from the connection.
func (s *stream) linger() {
	defer s.ended()
	timer := time.NewTimer(lingerTime)
	defer timer.Stop()
	select {
	case <-s.lingering:
	case <-timer.C:
	case <-s.receiver.life.Done():
	}
	s.tapped.Detach()
	s.tapped.Leave()
}
