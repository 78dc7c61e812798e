package fleet

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// A log request is answered with ordinary entries that nothing marks. A tail tells them from the normal flow so that no
// line is stored twice, and none is lost; docs/adr/032 has the reasoning.
//
//   - Before the request goes out, the tail listens for a while (warmUp) and remembers the lines of the normal flow.
//   - Of the lines that come after the request, one that the normal flow brought already, or that is older than
//     the warm-up, is an answer, as long as the number of lines asked for is not reached.
//   - While the agent follows, each new line comes twice: the first is stored, the second is the answer.
//
// The agent cannot be told to stop, so a follow lasts as long as the stream, and is shared by all who ask later.
const (
	warmUp = time.Second
	// answerTime is how long old lines count as answers.
	answerTime = 10 * time.Second
	// pairTime is how long, at least, the second copy of a line is waited for.
	pairTime = 15 * time.Second
	maxPairs = 50_000
	// recentLines is how many lines of a followed log are kept for those who ask later, and recentBytes how much of them.
	recentLines = 1000
	recentBytes = 4 << 20
	readerSize  = 2 * recentLines
	// maxLine bounds a line for a reader, in bytes.
	maxLine = 64 << 10
)

// Line is a log line for a reader.
type Line struct {
	At      time.Time
	Type    string
	Content string
}

// Reader receives the lines of one agent's log.
type Reader struct {
	tail    *tail
	kind    string
	lines   chan Line
	dropped atomic.Int64
}

// Lines is closed when the stream ended.
func (r *Reader) Lines() <-chan Line { return r.lines }

// Dropped returns how many lines were left out since it was asked last, because the reader was slow.
func (r *Reader) Dropped() int64 { return r.dropped.Swap(0) }

// Close ends the reader.
func (r *Reader) Close() {
	r.tail.mu.Lock()
	defer r.tail.mu.Unlock()
	delete(r.tail.readers, r)
	r.tail.settle()
}

// tail is the log of one stream. Under its lock no other lock is taken but that of answered.
type tail struct {
	active atomic.Bool
	seed   maphash.Seed
	// answered is told of the first answer to a command.
	answered func(commandID string)

	mu      sync.Mutex
	closed  bool
	readers map[*Reader]struct{}
	kinds   map[string]*kindTail
}

// kindTail is one log ("access", "error") of one stream.
type kindTail struct {
	begun time.Time
	// command is the request that was not answered yet.
	command string
	// requested says that a request went out since listening began.
	requested bool
	// agentTime is when the warm-up began, by the agent's clock in unix seconds: the time of its last heartbeat, or of a later one that is
	// older still, because the agent replays its buffer.
	agentTime int64
	// answers is how many lines of the last request may still come, until the deadline.
	answers  int
	deadline time.Time
	// following says that the agent sends each new line a second time, and will until the stream ends.
	following bool
	recent    []Line
	held      int // bytes of recent
	// seen counts the copies of a line in the normal flow less those in answers; older are those of the time before.
	seen, older map[uint64]int
	turned      time.Time
}

func newTail(answered func(string)) *tail {
	return &tail{seed: maphash.MakeSeed(), answered: answered, readers: map[*Reader]struct{}{}, kinds: map[string]*kindTail{}}
}

// Tailing implements agentsession.Session.
func (s *session) Tailing() bool { return s.tail.active.Load() }

// TakeLog implements agentsession.Session.
func (s *session) TakeLog(entry *agentv1.LogEntry) bool { return s.tail.take(entry, time.Now()) }

// read adds a reader. It reports whether the agent follows the log already; the reader then gets the last lines at once.
func (t *tail) read(kind string, lines int) (r *Reader, following, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, false, false
	}
	r = &Reader{tail: t, kind: kind, lines: make(chan Line, readerSize)}
	t.readers[r] = struct{}{}
	k := t.kinds[kind]
	if k == nil || !k.following {
		return r, false, true
	}
	for _, line := range k.recent[max(0, len(k.recent)-lines):] {
		r.lines <- line // fits: readerSize
	}
	return r, true, true
}

// listen begins the warm-up and says how much of it is left.
func (t *tail) listen(kind string, now, agentNow time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return 0
	}
	k := t.kinds[kind]
	if k == nil {
		k = &kindTail{begun: now, agentTime: agentNow.Unix(), seen: map[uint64]int{}, turned: now}
		t.kinds[kind] = k
	}
	t.active.Store(true)
	return max(warmUp-now.Sub(k.begun), k.deadline.Sub(now)*time.Duration(min(k.answers, 1)))
}

// requested notes that a request for so many lines goes out now. An agent that began to replay its buffer during the warm-up brings
// old lines of the normal flow.
func (t *tail) requested(kind, command string, lines int, follow bool, now, agentNow time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k := t.kinds[kind]; k != nil {
		k.command, k.requested, k.answers, k.deadline = command, true, lines, now.Add(answerTime)
		k.following = k.following || follow
		k.agentTime = min(k.agentTime, agentNow.Unix())
	}
}

// settle stops listening when no copies are to come. The lock is held.
func (t *tail) settle() {
	wanted := map[string]bool{}
	for r := range t.readers {
		wanted[r.kind] = true
	}
	for kind, k := range t.kinds {
		if !wanted[kind] && k.requested && !k.following && k.answers == 0 {
			delete(t.kinds, kind)
		}
	}
	t.active.Store(!t.closed && len(t.kinds) > 0)
}

func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.closed = true
	t.active.Store(false)
	for r := range t.readers {
		close(r.lines)
	}
	clear(t.readers)
}

// take reports whether the entry is an answer only.
func (t *tail) take(entry *agentv1.LogEntry, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.kinds[entry.LogType]
	if k == nil {
		return false
	}
	k.tidy(now)
	answer := k.classify(maphash.String(t.seed, entry.Content), entry.Timestamp)
	if answer {
		t.pass(k, entry)
	}
	if k.answers == 0 && !k.following {
		t.settle()
	}
	return answer
}

// classify counts the line and says whether it is an answer.
func (k *kindTail) classify(line uint64, timestamp int64) bool {
	copies := k.copies(line)
	switch {
	case copies > 0 && (k.answers > 0 || k.following):
		if k.answers > 0 && (!k.following || timestamp <= k.agentTime) {
			k.answers--
		}
	case copies == 0 && k.answers > 0 && timestamp < k.agentTime:
		k.answers--
	default:
		k.count(line, copies+1)
		return false
	}
	k.count(line, copies-1) // after an unseen old line: the copy that may come is the one to store
	return true
}

func (k *kindTail) copies(line uint64) int {
	if n, ok := k.seen[line]; ok {
		return n
	}
	return k.older[line]
}

func (k *kindTail) count(line uint64, copies int) {
	if copies == 0 && k.older[line] == 0 {
		delete(k.seen, line)
		return
	}
	k.seen[line] = copies
}

// tidy ends the time for answers, and forgets lines whose copy did not come.
func (k *kindTail) tidy(now time.Time) {
	if k.answers > 0 && now.After(k.deadline) {
		k.answers = 0
	}
	if now.Sub(k.turned) > pairTime || len(k.seen) > maxPairs {
		k.older, k.seen, k.turned = k.seen, make(map[uint64]int), now
	}
}

// pass gives an answer to the readers of its log. It never waits. The lock is held.
func (t *tail) pass(k *kindTail, entry *agentv1.LogEntry) {
	if k.command != "" {
		t.answered(k.command)
		k.command = ""
	}
	line := Line{At: time.Unix(entry.Timestamp, 0), Type: entry.LogType, Content: clean(entry.Content, maxLine)}
	if k.following {
		k.remember(line)
	}
	for r := range t.readers {
		if r.kind != entry.LogType {
			continue
		}
		select {
		case r.lines <- line:
		default:
			r.dropped.Add(1)
		}
	}
}

// remember keeps a line, and from time to time only the newest ones.
func (k *kindTail) remember(line Line) {
	k.recent, k.held = append(k.recent, line), k.held+len(line.Content)
	if len(k.recent) < 2*recentLines && k.held < 2*recentBytes {
		return
	}
	from, size := len(k.recent), 0
	for from > 0 && len(k.recent)-from < recentLines && size+len(k.recent[from-1].Content) <= recentBytes {
		from--
		size += len(k.recent[from].Content)
	}
	k.recent, k.held = append([]Line(nil), k.recent[from:]...), size
}
