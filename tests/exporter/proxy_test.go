package exporter

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// proxy stands between the gateway and ClickHouse. It can lose the answer to an insert, which a server that is healthy
// does not do.
type proxy struct {
	l       net.Listener
	backend string
	// cutAfter > 0: a connection on which the client has sent that many bytes more loses the answers and is cut when
	// the server has answered.
	cutAfter atomic.Int64
	cuts     atomic.Int64
	// muteAfter > 0: a connection on which the client has sent that many bytes more gets no answer any more.
	muteAfter atomic.Int64
	// deny answers as ClickHouse does to a wrong password: the engine from npm ends instead.
	deny atomic.Bool

	mu    sync.Mutex
	conns map[net.Conn]bool
}

func startProxy(t testing.TB, backend string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{l: l, backend: backend, conns: map[net.Conn]bool{}}
	var wg sync.WaitGroup
	wg.Go(func() { p.serve(&wg) })
	t.Cleanup(func() {
		_ = l.Close()
		p.closeAll()
		wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.l.Addr().String() }

// loseAnswers lets inserts have no answer from now on, and returns when ClickHouse, which is behind the proxy, has stored one.
func (p *proxy) loseAnswers(t testing.TB, ch *harness.ClickHouse) {
	t.Helper()
	p.muteAfter.Store(5000) // less than a thousand rows
	const rows = "SELECT count() FROM " + accessLogs
	before := ch.Uint(t, rows)
	require.Eventually(t, func() bool { return ch.Uint(t, rows) >= before+1000 }, storedWithin, 20*time.Millisecond, "nothing is inserted")
}

// deduplicated requires that ClickHouse has recognized a retry of what it had stored.
func deduplicated(t testing.TB, g *harness.Gateway) {
	t.Helper()
	assert.Positive(t, g.Metrics(t).Sum("otelcol_exporter_ch_batch_inserts_deduplicated_total", nil), "no insert was tried again after it was stored")
}

func (p *proxy) serve(wg *sync.WaitGroup) {
	for {
		client, err := p.l.Accept()
		if err != nil {
			return
		}
		if p.deny.Load() {
			deny(client)
			continue
		}
		server, err := net.Dial("tcp", p.backend)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.track(client, server)
		wg.Go(func() { p.connect(client, server) })
	}
}

// deny is error 516 to whatever hello.
func deny(client net.Conn) {
	defer func() { _ = client.Close() }()
	_, _ = client.Read(make([]byte, 1024))
	b := binary.LittleEndian.AppendUint32([]byte{2}, 516)
	for _, text := range []string{"DB::Exception", "default: Authentication failed", ""} {
		b = append(append(b, byte(len(text))), text...)
	}
	_, _ = client.Write(append(b, 0))
}

func (p *proxy) track(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
}

func (p *proxy) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

// connect copies both ways until one side ends.
func (p *proxy) connect(client, server net.Conn) {
	var sent atomic.Int64 // since the last answer
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(countingWriter{server, &sent}, client)
		_ = server.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := server.Read(buf)
		limit := p.cutAfter.Load()
		if limit > 0 && sent.Load() > limit {
			p.cuts.Add(1) // the server has answered to the data; nobody will know what
			break
		}
		mute := p.muteAfter.Load()
		if mute > 0 && sent.Load() > mute && err == nil {
			continue
		}
		sent.Store(0)
		if n > 0 {
			if _, err := client.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = client.Close()
	_ = server.Close()
	<-done
}

type countingWriter struct {
	w io.Writer
	n *atomic.Int64
}

func (c countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n.Add(int64(n))
	return n, err
}
