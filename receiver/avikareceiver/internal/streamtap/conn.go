package streamtap

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

// Settings are those of the gRPC server behind the connections.
type Settings struct {
	// Method is the full name of the method whose messages are taken, with a slash in front. Empty: none.
	Method string
	// StreamWindow and ConnectionWindow are the flow control windows that the server announces, in bytes.
	StreamWindow, ConnectionWindow int
	// MaxMessage is the size of the largest message, in bytes.
	MaxMessage int
	// ReadBuffer is the size of the buffer for reading from the socket, in bytes. Connections on which little arrives have a small one.
	ReadBuffer int
	// MaxAge is the age at which a connection is to be given up, give or take a tenth of it, and Grace how long that may take
	// before it is closed. Zero: never.
	MaxAge, Grace time.Duration
}

// Tap makes connections with the same settings.
type Tap struct {
	settings     Settings
	small, large sync.Pool
	calls        calls
}

// New returns a tap.
func New(settings Settings) *Tap {
	return &Tap{
		settings: settings,
		small:    sync.Pool{New: func() any { return newBuffer(smallBuffer) }},
		large:    sync.Pool{New: func() any { return newBuffer(max(settings.ReadBuffer, smallBuffer)) }},
	}
}

func newBuffer(size int) *[]byte {
	buffer := make([]byte, size)
	return &buffer
}

// Conn is a connection as gRPC's server sees it. Its Read is for one goroutine.
type Conn struct {
	net.Conn
	tap    *Tap
	source source

	// buffer[from:to] has been read from the socket. arrived is how much came since the buffer was taken; a busy connection takes a
	// large one.
	buffer   *[]byte
	from, to int
	arrived  int
	busy     bool
	// pass is how many of the next bytes are gRPC's; data and padding how many are the tapped stream's. ends says that the
	// stream ends with them.
	pass, data, padding int
	ends                bool
	// inserted are bytes for gRPC that come before all others.
	inserted []byte
	err      error

	// opened says that there was a call on the connection. stream is the one that is tapped, if any; offered says that gRPC is being
	// given its headers.
	opened  bool
	stream  uint32
	offered atomic.Bool
	// closed is guarded by the tap's calls.
	closed bool

	inbox    inbox
	outgoing outgoing
	// ofStream and ofConnection are bytes of the windows that were taken since the last read.
	ofStream, ofConnection int
	// widened is how much larger than announced the windows are; received and frames count the stream's data.
	widened, received, frames atomic.Int64
	newFrames                 int64
	age                       age
}

const (
	frameHeader   = 9
	maxFrame      = 16 << 10
	prefaceLength = len(http2.ClientPreface)
	smallBuffer   = 4 << 10
)

// Conn puts the tap on a connection whose client has said nothing of HTTP/2 yet. plaintext says that the bytes of its socket are those
// of the connection.
func (t *Tap) Conn(connection net.Conn, plaintext bool) *Conn {
	c := &Conn{Conn: connection, tap: t, pass: prefaceLength}
	c.source, c.busy = streamSource{c}, true
	if plaintext {
		c.source, c.busy = newSource(c), false
	}
	c.inbox.assembler.limit = t.settings.MaxMessage
	c.inbox.acknowledge = c.acknowledge
	c.outgoing.socket = connection
	c.outgoing.stream.limit = int64(t.settings.StreamWindow)
	c.outgoing.connection.limit = int64(t.settings.ConnectionWindow)
	c.startAging()
	return c
}

// Attach gives the messages of the tapped call to sink, those too that have arrived already. spawn starts a goroutine, which ends
// when the sink has taken all.
func (c *Conn) Attach(sink Sink, spawn func(func())) { c.inbox.attach(sink, spawn) }

// Detach ends the call: what arrives from now on is thrown away, what has arrived is still given to the sink.
func (c *Conn) Detach() { c.inbox.end() }

// Read returns what is gRPC's.
func (c *Conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if n := c.forward(p); n > 0 {
			return n, nil
		}
		if c.err != nil {
			return 0, c.err
		}
		c.source.fill()
	}
}

// Write writes what is gRPC's.
func (c *Conn) Write(p []byte) (int, error) {
	n, ended, err := c.outgoing.write(p)
	if ended {
		c.inbox.abandon()
	}
	return n, err
}

// forward copies bytes that are gRPC's, if there are any before more has to be read.
func (c *Conn) forward(p []byte) int {
	if !c.advance() {
		return 0
	}
	if len(c.inserted) > 0 {
		n := copy(p, c.inserted)
		c.inserted = c.inserted[n:]
		return n
	}
	n := copy(p, (*c.buffer)[c.from:min(c.to, c.from+c.pass)])
	c.from, c.pass = c.from+n, c.pass-n
	return n
}

// advance takes what is the tapped stream's off the buffer. It reports whether what comes then is gRPC's; otherwise more has to
// be read, or the connection has failed.
func (c *Conn) advance() bool {
	ready := c.advanceFrames()
	if c.ofConnection > 0 || c.ofStream > 0 {
		c.received.Store(c.received.Load() + int64(c.ofConnection))
		c.frames.Store(c.frames.Load() + c.newFrames)
		c.newFrames = 0
		c.outgoing.take(&c.outgoing.connection, c.ofConnection)
		c.acknowledge(c.ofStream)
		c.ofConnection, c.ofStream = 0, 0
	}
	return ready
}

func (c *Conn) advanceFrames() bool {
	for {
		switch {
		case len(c.inserted) > 0:
			return true
		case c.err != nil || c.from == c.to:
			return false
		case c.pass > 0:
			return true
		case c.data > 0 || c.padding > 0:
			c.takeData()
		case !c.nextFrame():
			return false
		}
	}
}

// nextFrame looks at the header of a frame. It reports false when not enough of it is there.
func (c *Conn) nextFrame() bool {
	b := (*c.buffer)[c.from:c.to]
	if len(b) < frameHeader {
		return false
	}
	length := payloadLength(b)
	switch stream := streamOf(b); {
	case http2.FrameType(b[3]) == http2.FrameData && stream == c.stream && stream != 0:
		return c.dataFrame(b, length)
	case http2.FrameType(b[3]) == http2.FrameHeaders:
		return c.headersFrame(b, length, stream)
	case http2.FrameType(b[3]) == http2.FrameRSTStream && stream == c.stream && stream != 0:
		c.inbox.leave()
		c.pass = frameHeader + length
		return true
	default:
		c.pass = frameHeader + length
		return true
	}
}

// headersFrame finds out whether the first call is to be tapped.
func (c *Conn) headersFrame(b []byte, length int, stream uint32) bool {
	whole := frameHeader + length
	if !c.opened && len(b) < whole && whole <= len(*c.buffer) {
		return false
	}
	if !c.opened {
		c.tap.calls.add(c)
	}
	c.offered.Store(false)
	if !c.opened && len(b) >= whole && opens(http2.Flags(b[4]), b[frameHeader:whole], c.tap.settings.Method) {
		c.stream = stream
		c.outgoing.id.Store(stream)
		c.offered.Store(true)
	}
	c.opened, c.pass = true, whole
	return true
}

// dataFrame starts a frame of the tapped stream, when all of it is there or it is larger than the buffer. One that is not as it must be is
// left to gRPC, which says so.
func (c *Conn) dataFrame(b []byte, length int) bool {
	if whole := frameHeader + length; len(b) < whole && whole <= len(*c.buffer) {
		return false
	}
	flags, skip, padding := http2.Flags(b[4]), frameHeader, 0
	if flags.Has(http2.FlagDataPadded) && length > 0 {
		if len(b) == frameHeader {
			return false
		}
		skip, padding = frameHeader+1, int(b[frameHeader])
	}
	if data := frameHeader + length - skip - padding; length <= maxFrame && data >= 0 {
		c.from += skip
		c.data, c.padding, c.ends = data, padding, flags.Has(http2.FlagDataEndStream)
		c.ofConnection += length
		c.newFrames++
		c.ofStream += length - data
		if data == 0 && padding == 0 {
			c.frameDone()
		}
		return true
	}
	c.pass = frameHeader + length
	return true
}

// takeData takes what has arrived of a frame's payload.
func (c *Conn) takeData() {
	n := min(c.data, c.to-c.from)
	if n > 0 {
		taken, holding := c.inbox.add((*c.buffer)[c.from : c.from+n])
		if c.ofStream += taken; holding > c.tap.settings.StreamWindow+maxFrame+int(c.widened.Load()) {
			c.err = errWindow
		}
		c.from, c.data = c.from+n, c.data-n
	}
	if c.data > 0 {
		return
	}
	n = min(c.padding, c.to-c.from)
	c.from, c.padding = c.from+n, c.padding-n
	if c.padding == 0 {
		c.frameDone()
	}
}

var errWindow = errors.New("client does not keep to its flow control window")

// frameDone tells gRPC of the stream's end.
func (c *Conn) frameDone() {
	if !c.ends {
		return
	}
	c.ends = false
	c.inserted = []byte{0, 0, 0, byte(http2.FrameData), byte(http2.FlagDataEndStream), byte(c.stream >> 24), byte(c.stream >> 16), byte(c.stream >> 8), byte(c.stream)}
	c.inbox.end()
}

// acknowledge gives n bytes of the stream's window back.
func (c *Conn) acknowledge(n int) { c.outgoing.take(&c.outgoing.stream, n) }

func payloadLength(header []byte) int {
	return int(header[0])<<16 | int(header[1])<<8 | int(header[2])
}

func streamOf(header []byte) uint32 {
	return uint32(header[5]&0x7f)<<24 | uint32(header[6])<<16 | uint32(header[7])<<8 | uint32(header[8])
}
