package fleet

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func TestReplayedAndBootstrapHeartbeats(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	session := connect(t, f, "a")
	now := time.Now()
	full := &agentv1.Heartbeat{Hostname: "h", Version: "1.24.0", AgentVersion: "1.110", Labels: map[string]string{"env": "prod"}}
	session.Heartbeat(now, &agentv1.Heartbeat{Hostname: "h", Version: "unknown", AgentVersion: "1.110"})
	eventually(t, f, "a", "known by its first heartbeat", func(s State) bool { return s.Facts.Hostname == "h" })
	session.Heartbeat(now.Add(time.Second), full)
	eventually(t, f, "a", "known", func(s State) bool { return s.Facts.NginxVersion == "1.24.0" })
	session.Heartbeat(now.Add(-time.Hour), &agentv1.Heartbeat{Hostname: "h", Version: "1.20.0", Labels: map[string]string{"env": "old"}})
	again := connect(t, f, "a")
	again.Heartbeat(now.Add(2*time.Second), &agentv1.Heartbeat{Hostname: "h", Version: "unknown"})
	state, _ := f.Get("a")
	assert.Equal(t, "1.24.0", state.Facts.NginxVersion, "neither a replayed heartbeat nor a first one overwrites facts")
	again.Heartbeat(now.Add(3*time.Second), &agentv1.Heartbeat{Hostname: "h", Version: "unknown"})
	state, _ = f.Get("a")
	assert.Equal(t, "unknown", state.Facts.NginxVersion, "NGINX may really be away")
}

func TestLivenessIsCountedFromReceipt(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	session := connect(t, f, "a")
	before := time.Now()
	session.Heartbeat(time.Unix(1, 0), &agentv1.Heartbeat{Hostname: "h"})
	state, _ := f.Get("a")
	const apart = time.Second // from the store's clock, which is estimated
	assert.WithinRange(t, state.Live.LastSeen, before.Add(-apart), time.Now().Add(apart))
}

func TestHugeAndBrokenTextIsBounded(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	session := connect(t, f, "a")
	_, err := f.Open(t.Context(), agentsession.Peer{AgentID: "b", Hostname: "\x00\xff" + strings.Repeat("h", 1<<20)})
	require.NoError(t, err)
	b, _ := f.Get("b")
	assert.Equal(t, "\uFFFD\uFFFD"+strings.Repeat("h", maxText-6), b.Facts.Hostname)
	labels := map[string]string{}
	for i := range 1024 {
		labels[fmt.Sprintf("key-%04d", i)] = strings.Repeat("x", 1024)
	}
	labels["a\x00b"] = "\xff\xfe<script>" + strings.Repeat("ä", 4000)
	session.Heartbeat(time.Now(), &agentv1.Heartbeat{Hostname: strings.Repeat("h", 1<<20), Version: "1\x00", Labels: labels})
	state, _ := f.Get("a")
	assert.Len(t, state.Facts.Labels, maxLabels)
	assert.True(t, state.Facts.LabelsTruncated)
	assert.Len(t, state.Facts.Hostname, maxText)
	assert.Equal(t, "1\uFFFD", state.Facts.NginxVersion)
	value := state.Facts.Labels["a\uFFFDb"]
	assert.True(t, strings.HasPrefix(value, "\uFFFD<script>ä"))
	assert.LessOrEqual(t, len(value), maxLabelValue)
}

func TestListFilterSortPage(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	for i := range 30 {
		session := connect(t, f, fmt.Sprintf("agent-%02d", i))
		session.Heartbeat(time.Now(), &agentv1.Heartbeat{
			Hostname: fmt.Sprintf("host-%02d", 29-i), Version: fmt.Sprintf("1.%d", i%3), Labels: map[string]string{"n": fmt.Sprint(i % 2), "all": ""},
		})
		if i >= 20 {
			session.Close()
		}
	}
	list := func(filter Filter, page Page) []string {
		states, _ := f.List(filter, page)
		ids := []string{}
		for i := range states {
			ids = append(ids, states[i].ID)
		}
		return ids
	}
	is := true
	all := Page{Limit: 100}
	assert.Len(t, list(Filter{Online: &is}, all), 20)
	assert.Len(t, list(Filter{Labels: []LabelFilter{{Key: "n", Value: "1"}}}, all), 15)
	assert.Len(t, list(Filter{Labels: []LabelFilter{{Key: "n", Value: "1", Not: true}, {Key: "all", Any: true}}}, all), 15)
	assert.Len(t, list(Filter{Labels: []LabelFilter{{Key: "none", Any: true}}}, all), 0)
	assert.Equal(t, []string{"agent-07"}, list(Filter{Text: "AGENT-07"}, all))
	assert.Equal(t, []string{"agent-02"}, list(Filter{Text: "Host-27"}, all))
	assert.Equal(t, []string{"agent-29", "agent-28"}, list(Filter{}, Page{Sort: "hostname", Limit: 2}))
	assert.Equal(t, []string{"agent-01", "agent-02"}, list(Filter{}, Page{Sort: "hostname", Descending: true, Limit: 2, Offset: 1}))
	assert.Equal(t, []string{"agent-02", "agent-05"}, list(Filter{}, Page{Sort: "nginx_version", Descending: true, Limit: 2}))
	assert.Equal(t, []string{}, list(Filter{}, Page{Limit: 5, Offset: 99}))
	for name := range orders {
		states, total := f.List(Filter{}, Page{Sort: name, Limit: 100})
		assert.Equal(t, 30, total)
		assert.Equal(t, 30, len(states), name) //nolint:testifylint // a failure would print all agents
	}
}

func TestRates(t *testing.T) {
	t.Parallel()
	var r rates
	at := time.Unix(1_700_000_000, 0)
	for i := range 6 {
		r.add(sample{at.Add(time.Duration(i) * time.Second), int64(1000 + 50*i)}, at)
	}
	rate, ok := r.point()
	assert.True(t, ok)
	assert.InDelta(t, 50, rate, 0.01)
	_, ok = r.point()
	assert.False(t, ok, "nothing new came")
	r.add(sample{at.Add(time.Second), 5}, at) // replayed
	r.add(sample{at.Add(6 * time.Second), 10}, at)
	r.add(sample{at.Add(8 * time.Second), 30}, at) // NGINX restarted at 10
	rate, ok = r.point()
	assert.True(t, ok)
	assert.InDelta(t, 10, rate, 0.01)
	for i := range 50 {
		r.add(sample{at.Add(time.Duration(10+5*i) * time.Second), int64(100 * i)}, at.Add(time.Hour))
		r.point()
	}
	assert.Len(t, r.points, ratePoints)
}

// An agent whose clock was an hour ahead and was put right is heard at once, not after an hour.
func TestAClockThatIsPutRight(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	session := connect(t, f, "a")
	ahead, now := time.Now().Add(time.Hour), time.Now()
	session.Heartbeat(ahead, &agentv1.Heartbeat{Hostname: "h", Version: "1.24.0", AgentVersion: "1.110"})
	session.Metrics(ahead, 1000)
	session.Heartbeat(now, &agentv1.Heartbeat{Hostname: "h", Version: "1.24.0", AgentVersion: "1.111"})
	state, _ := f.Get("a")
	assert.Equal(t, "1.111", state.Facts.AgentVersion)
	session.Metrics(now, 1100)
	session.Metrics(now.Add(5*time.Second), 1600)
	eventually(t, f, "a", "at 100 requests/s", func(s State) bool {
		rate, ok := s.Rate()
		return ok && rate == 100
	})
}

// Times that nobody can mean are kept as ones that every store can hold.
func TestTimesBeyondAllCalendars(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	session := connect(t, f, "a")
	for _, queued := range []int64{math.MaxInt64, 1 << 45, -1 << 45, math.MinInt64} {
		session.Heartbeat(time.Unix(queued, 0), &agentv1.Heartbeat{Hostname: fmt.Sprint(queued), Version: "1.24.0"})
		session.State(time.Unix(queued, 0), &agentv1.StateSnapshot{ConfigHash: fmt.Sprint(queued)})
		session.Metrics(time.Unix(queued, 0), queued)
		state, _ := f.Get("a")
		assert.Equal(t, fmt.Sprint(queued), state.Facts.Hostname)
		_, err := json.Marshal(state.Agent)
		require.NoError(t, err, "the embedded store keeps it as JSON")
	}
}

func TestRatesReachOtherGateways(t *testing.T) {
	t.Parallel()
	s := shared(t)
	one, two := run(t, s, quick("one")), run(t, s, quick("two"))
	session := connect(t, one, "a")
	eventually(t, two, "a", "online", online)
	at := time.Now()
	session.Metrics(at, 100)
	session.Metrics(at.Add(5*time.Second), 600)
	eventually(t, two, "a", "at 100 requests/s", func(s State) bool {
		rate, ok := s.Rate()
		return ok && rate == 100
	})
}

// TestUnchangedHeartbeats stand for whole ones only while there is one to compare with.
func TestUnchangedHeartbeats(t *testing.T) {
	t.Parallel()
	f := run(t, shared(t), quick("one"))
	s := connect(t, f, "a")
	now := time.Now()
	require.False(t, s.Unchanged(now, 5), "nothing is known yet")
	s.Heartbeat(now, &agentv1.Heartbeat{Hostname: "h", Version: "1.24.0", Uptime: 5})
	messages := f.messages.Load()
	require.True(t, s.Unchanged(now.Add(time.Second), 6))
	require.Equal(t, messages+1, f.messages.Load())
	require.False(t, s.Unchanged(now.Add(2*time.Second), 1), "the agent has started anew")
	require.True(t, s.Unchanged(now.Add(-time.Hour), 6), "a replayed one shows that the agent lives")
	s.Close()
	require.True(t, s.Unchanged(now, 7))
}
