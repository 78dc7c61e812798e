package translate

import (
	"strings"

	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/logline"
	"github.com/avika-ai/avika-collector/receiver/avikareceiver/internal/pdataslab"
)

// memo remembers the last values of a kind, because an NGINX has few upstreams and hosts.
type memo struct {
	known [8]memoized
	next  int
}

// memoized is a value and a number that belongs to it.
type memoized struct {
	text   string
	value  pdataslab.Value
	number int64
}

// maxMemoized bounds the length of what is remembered.
const maxMemoized = 256

// get returns what is known of a text.
func (m *memo) get(text []byte) (memoized, bool) {
	for i := range m.known {
		if m.known[i].text == string(text) {
			return m.known[i], true
		}
	}
	return memoized{}, false
}

// put remembers a value in place of the oldest, unless its text is too long.
func (m *memo) put(entry memoized) {
	if len(entry.text) <= maxMemoized {
		m.known[m.next%len(m.known)] = entry
		m.next++
	}
}

// upstreamList returns the attempts of a list, and their number. The copy keeps the value from holding on to the
// whole message.
func (t *Translator) upstreamList(list []byte) (pdataslab.Value, int) {
	entry, ok := t.upstreams.get(list)
	if !ok {
		entry.text = t.lasting.Copy(list)
		entry.value, entry.number = t.splitUpstreams(raw(entry.text))
		t.upstreams.put(entry)
	}
	return entry.value, int(entry.number)
}

// splitUpstreams makes values that point into the list.
func (t *Translator) splitUpstreams(list []byte) (pdataslab.Value, int64) {
	n := countAttempts(list)
	value, elements := t.lasting.Array(n)
	for i := range elements {
		var entry []byte
		entry, list, _ = logline.NextAttempt(list)
		elements[i] = t.lasting.String(strings.ToValidUTF8(view(entry), "\uFFFD"))
	}
	return value, int64(n)
}

// host returns a host without its port, and the port or -1.
func (t *Translator) host(text string) (pdataslab.Value, int64) {
	entry, ok := t.hosts.get(raw(text))
	if !ok {
		entry.text = t.lasting.Copy(raw(text))
		var name string
		name, entry.number = splitHost(entry.text)
		entry.value = t.lasting.String(name)
		t.hosts.put(entry)
	}
	return entry.value, entry.number
}
