package fleet

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// logFile is what a stock agent has: a file of lines, the normal flow, and what log requests add.
type logFile struct {
	tail   *tail
	now    time.Time // agent and gateway agree in these tests
	lines  []*agentv1.LogEntry
	follow int
	stored map[string]int
}

func newLogFile() *logFile {
	return &logFile{tail: newTail(func(string) {}), now: time.Unix(1_700_000_000, 0), stored: map[string]int{}}
}

// arrive is what the receiver does with an entry.
func (l *logFile) arrive(entry *agentv1.LogEntry) {
	if l.tail.active.Load() && l.tail.take(entry, l.now) {
		return
	}
	l.stored[entry.Content]++
}

func (l *logFile) write(content string) {
	entry := &agentv1.LogEntry{Timestamp: l.now.Unix(), LogType: "access", Content: content}
	l.lines = append(l.lines, entry)
	for range 1 + l.follow {
		l.arrive(entry)
	}
}

// request is a reader's request and the agent's answer.
func (l *logFile) request(t *testing.T, lines int, follow bool) *Reader {
	t.Helper()
	r, following, ok := l.tail.read("access", lines)
	require.True(t, ok)
	if following {
		return r
	}
	wait := l.tail.listen("access", l.now, l.now)
	for range int(wait/(100*time.Millisecond)) + 1 {
		l.now = l.now.Add(100 * time.Millisecond)
		l.write(fmt.Sprintf("during warm-up %s", l.now))
	}
	l.tail.requested("access", "c", lines, follow, l.now, l.now)
	answer := l.lines[max(0, len(l.lines)-lines):]
	if follow {
		l.follow++
	}
	for _, entry := range answer {
		l.arrive(entry)
	}
	return r
}

func (l *logFile) storedOnce(t *testing.T) {
	t.Helper()
	written := map[string]int{}
	for _, entry := range l.lines {
		written[entry.Content]++
	}
	assert.Equal(t, written, l.stored, "every line is stored as often as it was written")
}

func read(r *Reader) []string {
	var lines []string
	for {
		select {
		case line, open := <-r.Lines():
			if !open {
				return lines
			}
			lines = append(lines, line.Content)
		default:
			return lines
		}
	}
}

func TestTailOfOldLines(t *testing.T) {
	l := newLogFile()
	for i := range 100 {
		l.write(fmt.Sprint("line ", i))
		l.now = l.now.Add(time.Minute)
	}
	r := l.request(t, 20, false)
	got := read(r)
	require.Len(t, got, 20)
	assert.Equal(t, "line 91", got[0])
	l.storedOnce(t)
	for i := range 50 {
		l.now = l.now.Add(100 * time.Millisecond)
		l.write(fmt.Sprint("after ", i))
	}
	l.storedOnce(t)
	r.Close()
	l.write("one more")
	assert.False(t, l.tail.active.Load(), "nothing is left to tell apart")
}

func TestTailOfABusyLog(t *testing.T) {
	l := newLogFile()
	busy := func(n int) {
		for i := range n {
			l.write(fmt.Sprintf("GET /%d %d", i, rand.Int()))
			l.now = l.now.Add(time.Millisecond)
		}
	}
	busy(5000)
	r := l.request(t, 10, true)
	require.Len(t, read(r), 10)
	busy(1000)
	assert.Len(t, read(r), 1000)
	l.storedOnce(t)

	second, _, _ := l.tail.read("access", 100)
	assert.Len(t, read(second), 100, "one who comes later gets the last lines without asking the agent")
	busy(100)
	assert.Len(t, read(second), 100)
	r.Close()
	second.Close()
	busy(100)
	l.storedOnce(t)
	assert.True(t, l.tail.active.Load(), "the agent still follows, so second copies are still kept out")
}

func TestTailWithIdenticalLines(t *testing.T) {
	l := newLogFile()
	for range 10 {
		l.write("GET /health")
	}
	r := l.request(t, 5, true)
	for range 200 {
		l.write("GET /health")
		l.now = l.now.Add(10 * time.Millisecond)
	}
	l.storedOnce(t)
	r.Close()
}

func TestNormalFlowIsNeverTakenWhileAnAgentReplays(t *testing.T) {
	l := newLogFile()
	l.request(t, 50, false)
	agentNow := l.now.Add(-time.Hour) // its buffer is an hour behind, and so is its clock as we see it
	l.tail.kinds["access"].agentTime = agentNow.Unix()
	for i := range 100 {
		l.lines = append(l.lines, &agentv1.LogEntry{Timestamp: agentNow.Unix() + int64(i), LogType: "access", Content: fmt.Sprint("replayed ", i)})
		l.arrive(l.lines[len(l.lines)-1])
	}
	l.storedOnce(t)
}

func TestLateLinesAreNotLost(t *testing.T) {
	l := newLogFile()
	r := l.request(t, 3, true)
	read(r)
	old := &agentv1.LogEntry{Timestamp: l.now.Unix() - 60, LogType: "access", Content: "buffered by NGINX"}
	l.lines = append(l.lines, old)
	l.arrive(old)
	l.arrive(old)
	l.storedOnce(t)
}

func TestTailSlowReader(t *testing.T) {
	l := newLogFile()
	r := l.request(t, 1, true)
	for i := range readerSize + 100 {
		l.write(fmt.Sprint(i))
	}
	assert.Equal(t, int64(101), r.Dropped())
	assert.Zero(t, r.Dropped())
	l.storedOnce(t)
}

func TestOtherLogIsLeftAlone(t *testing.T) {
	l := newLogFile()
	l.request(t, 10, true)
	assert.False(t, l.tail.take(&agentv1.LogEntry{LogType: "error", Timestamp: 1, Content: "x"}, l.now))
}

func TestClosedTail(t *testing.T) {
	l := newLogFile()
	r := l.request(t, 1, true)
	l.tail.close()
	l.tail.close()
	read(r)
	_, open := <-r.Lines()
	assert.False(t, open)
	r.Close()
	_, _, ok := l.tail.read("access", 1)
	assert.False(t, ok)
	assert.False(t, l.tail.active.Load())
}

func TestMemoryOfATailIsBounded(t *testing.T) {
	l := newLogFile()
	l.request(t, 1, false)
	l.tail.kinds["access"].following = true
	for i := range 5 * maxPairs {
		l.tail.take(&agentv1.LogEntry{LogType: "access", Timestamp: l.now.Unix(), Content: fmt.Sprint(i)}, l.now)
	}
	k := l.tail.kinds["access"]
	assert.LessOrEqual(t, len(k.seen)+len(k.older), 2*maxPairs+2)

	long := strings.Repeat("x", maxLine)
	for i := range 2 * recentLines {
		entry := &agentv1.LogEntry{LogType: "access", Timestamp: l.now.Unix(), Content: fmt.Sprint(i, long)}
		l.tail.take(entry, l.now)
		l.tail.take(entry, l.now)
	}
	held := 0
	for _, line := range k.recent {
		held += len(line.Content)
	}
	assert.Equal(t, held, k.held)
	assert.Less(t, held, 2*recentBytes)
	assert.Greater(t, held, recentBytes/2)
}

func TestFleetTail(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	session := connect(t, f, "a")
	beat(session, "1.110")
	eventually(t, f, "a", "registered", func(s State) bool { return s.Live.Session != 0 })
	assert.False(t, session.Tailing())
	c := store.Command{ID: "c", AgentID: "a", Type: store.TypeLogRequest, Parameters: store.Parameters{LogType: "access", TailLines: 1, Follow: true}}
	r, err := f.Tail(t.Context(), c)
	require.NoError(t, err)
	defer r.Close()
	assert.True(t, receive(t, session).GetLogRequest().GetFollow())
	session.CommandSent("c", nil)
	require.True(t, session.Tailing())
	old := &agentv1.LogEntry{LogType: "access", Timestamp: time.Now().Add(-time.Hour).Unix(), Content: "old"}
	assert.True(t, session.TakeLog(old))
	fresh := &agentv1.LogEntry{LogType: "access", Timestamp: time.Now().Unix(), Content: "new"}
	assert.False(t, session.TakeLog(fresh))
	assert.True(t, session.TakeLog(fresh))
	assert.Equal(t, []string{"old", "new"}, read(r))
	becomes(t, f, "c", store.CommandSucceeded)
	_, err = f.Tail(t.Context(), store.Command{AgentID: "nobody"})
	require.ErrorIs(t, err, store.ErrNotFound)
}

// The first heartbeat after connecting is new, and what the agent kept on its disk comes behind it.
func TestReplayedLinesBehindANewHeartbeatAreStored(t *testing.T) {
	t.Parallel()
	for name, how := range map[string][2]bool{
		"replay before the request": {true, false}, "replay during the warm-up": {false, false}, "with heartbeats that say the same": {false, true},
	} {
		replaysFirst, sameWords := how[0], how[1]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := run(t, shared(t), quick("one"))
			session := connect(t, f, "a")
			beat(session, "1.110")
			eventually(t, f, "a", "registered", func(s State) bool { return s.Live.Session != 0 })
			then := time.Now().Add(-time.Hour)
			replay := func() {
				if sameWords {
					require.True(t, session.Unchanged(then, 0))
					return
				}
				session.Heartbeat(then, &agentv1.Heartbeat{Hostname: "h", Version: "1.24.0"})
			}
			if replaysFirst {
				replay()
			}
			r, err := f.Tail(t.Context(), store.Command{
				ID: "c", AgentID: "a", Type: store.TypeLogRequest, Parameters: store.Parameters{LogType: "access", TailLines: 100, Follow: true},
			})
			require.NoError(t, err)
			defer r.Close()
			require.Eventually(t, session.Tailing, soon, tick)
			if !replaysFirst {
				replay()
			}
			receive(t, session)
			for i := range 50 {
				assert.False(t, session.TakeLog(&agentv1.LogEntry{LogType: "access", Timestamp: then.Unix() + int64(i), Content: fmt.Sprint("kept ", i)}))
			}
		})
	}
}

func BenchmarkTakeLogWhileFollowing(b *testing.B) {
	l := newLogFile()
	l.tail.kinds["access"] = &kindTail{following: true, requested: true, seen: map[uint64]int{}, turned: l.now}
	entries := make([]*agentv1.LogEntry, 4096)
	for i := range entries {
		entries[i] = &agentv1.LogEntry{LogType: "access", Timestamp: l.now.Unix(), Content: fmt.Sprintf("GET /%d HTTP/1.1 %0400d", i, i)}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		l.tail.take(entries[i%len(entries)], l.now)
	}
}
