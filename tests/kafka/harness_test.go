package kafka

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// way is a queue with ClickHouse behind it.
type way struct {
	t     *testing.T
	queue *harness.Queue
	ch    *harness.ClickHouse
}

func newWay(t *testing.T) *way {
	t.Helper()
	return newWayOn(t, harness.StartQueue(t))
}

func newWayOn(t *testing.T, q *harness.Queue) *way {
	t.Helper()
	w := &way{t: t, queue: q, ch: harness.StartClickHouse(t)}
	out, code := w.topics()
	require.Zero(t, code, out)
	return w
}

// topics runs avika-topics and returns what it says and its exit code.
func (w *way) topics(args ...string) (string, int) {
	return avikaTopics(w.t, w.queue, args...)
}

func avikaTopics(t *testing.T, q *harness.Queue, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(harness.Binary(t, "avika-topics"), args...)
	cmd.Env = append(os.Environ(), q.Env()...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		require.NoError(t, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func itoa(n int) string { return strconv.Itoa(n) }

// session is short, so that a writer that was killed is missed soon; a broker allows no less than 6 s by default.
const session = "KAFKA_SESSION_TIMEOUT_MS=6000"

func (w *way) ingest(env ...string) *harness.Gateway {
	w.t.Helper()
	return harness.StartGateway(w.t, harness.GatewayOptions{
		Config: "embedded:ingest", Env: append(append(w.queue.Env(), "KAFKA_FLUSH_INTERVAL_MS=200"), env...),
	})
}

func (w *way) writer(env ...string) *harness.Gateway {
	w.t.Helper()
	g := w.newWriter(env...)
	g.Start()
	return g
}

func (w *way) newWriter(env ...string) *harness.Gateway {
	w.t.Helper()
	return harness.NewGateway(w.t, harness.GatewayOptions{
		Config: "embedded:writer", ClickHouse: w.ch.Addr(), Writer: true, Env: append(append(w.queue.Env(), session), env...),
	})
}

// fleet of agents that send rate log entries a second each until the function is called that it returns: a fleet outlasts any fault, however
// fast or slow the machine is. The function waits until ingest has read everything, and says how many entries that were.
func (w *way) fleet(ingest *harness.Gateway, agents, rate int, args ...string) (stop func() int) {
	w.t.Helper()
	f := harness.StartFleet(w.t, ingest.AgentAddr(), append(args, "--agents", itoa(agents), "--rate", itoa(rate), "--drain", "120s")...)
	return func() int {
		w.t.Helper()
		summary := f.Stop()
		sent, _ := summary["log_entries"].(float64)
		require.Equal(w.t, summary["connects"], summary["confirmed_streams"], "agents whose entries were not all read: %v", summary)
		require.Positive(w.t, sent)
		return int(sent)
	}
}

// send n log entries of agents, rate a second each, and wait until ingest has read them.
func send(t *testing.T, ingest *harness.Gateway, agents, rate, n int) {
	t.Helper()
	harness.RunFleet(t, ingest.AgentAddr(), "--agents", itoa(agents), "--rate", itoa(rate), "--total", itoa(n), "--drain", "60s")
}

// exactlyOnce waits until n access records are stored, and requires that each is there once, and once in the rollup.
func (w *way) exactlyOnce(n int) {
	w.t.Helper()
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		assert.EqualValues(c, n, w.ch.Uint(c, "SELECT uniqExact(request_id) FROM nginx_analytics.access_logs"), "lost")
	}, settle, 200*time.Millisecond)
	w.caughtUp()
	assert.EqualValues(w.t, n, w.ch.Uint(w.t, "SELECT uniqExact(request_id) FROM nginx_analytics.access_logs"), "lost")
	assert.EqualValues(w.t, n, w.ch.Uint(w.t, "SELECT count() FROM nginx_analytics.access_logs"), "doubled")
	assert.EqualValues(w.t, n, w.ch.Uint(w.t, "SELECT sum(requests) FROM nginx_analytics.traffic_5min"), "the rollup")
}

// settle bounds how long writers may take to catch up.
const settle = 120 * time.Second

// caughtUp waits until the group has committed everything, so that nothing comes any more.
func (w *way) caughtUp() {
	w.t.Helper()
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		lags, err := w.queue.Admin.Lag(context.Background(), w.queue.Group())
		lag := lags[w.queue.Group()]
		if assert.NoError(c, err) && assert.NoError(c, lag.Error()) {
			assert.Zero(c, lag.Lag.Total(), "records are not committed")
		}
	}, settle, 200*time.Millisecond)
}

// stable waits until the group's members have their partitions. kfake has no session timeout for one that is killed while it joins: the
// others wait for its rebalance timeout, a minute each time.
func (w *way) stable() {
	w.t.Helper()
	require.EventuallyWithT(w.t, func(c *assert.CollectT) {
		groups, err := w.queue.Admin.DescribeGroups(context.Background(), w.queue.Group())
		if assert.NoError(c, err) {
			assert.Equal(c, "Stable", groups[w.queue.Group()].State)
		}
	}, settle, 200*time.Millisecond)
}

// rows that are stored; 0 while there is no table, or no ClickHouse.
func (w *way) rows() uint64 {
	return w.ch.Uint(&assert.CollectT{}, "SELECT count() FROM nginx_analytics.access_logs")
}

// grows waits until more rows are stored than before.
func (w *way) grows() {
	w.t.Helper()
	before := w.rows()
	require.Eventually(w.t, func() bool { return w.rows() > before }, settle, 5*time.Millisecond, "no rows are stored")
}

// long is how long a fault lasts: short in the ordinary run.
func long(short, full time.Duration) time.Duration {
	if os.Getenv("AVIKA_FAULT_LONG") != "" {
		return full
	}
	return short
}

// letters are the files of a gateway's dead-letter folder with a prefix and an extension.
func letters(t *testing.T, g *harness.Gateway, prefix, ext string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir(g.StateDir + "/dead-letter")
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && strings.HasSuffix(e.Name(), ext) {
			found = append(found, g.StateDir+"/dead-letter/"+e.Name())
		}
	}
	return found
}
