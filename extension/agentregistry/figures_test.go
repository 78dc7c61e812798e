package agentregistry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// Figures of a fleet on a real PostgreSQL, in two minutes:
//
//	go test -run '^$' -bench Fleet -benchtime 1x -v ./extension/agentregistry
const (
	figureGateways = 5
	figureAgents   = 10_000
	figureTime     = time.Minute
)

// durable starts a PostgreSQL that is as careful as one in production, unlike those of other tests.
func durable(t testing.TB) (dsn string, admin *pgx.Conn) {
	t.Helper()
	pg := server(t, "fsync=on", "full_page_writes=on", "synchronous_commit=on", "shared_buffers=128MB")
	admin, err := pgx.Connect(t.Context(), pg.DSN())
	require.NoError(t, err)
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
		var value string
		require.NoError(t, admin.QueryRow(t.Context(), "select current_setting($1)", setting).Scan(&value))
		require.Equal(t, "on", value, setting)
	}
	t.Cleanup(func() { assert.NoError(t, admin.Close(context.Background())) })
	return pg.DSN(), admin
}

func onPostgres(dsn, id string, listen bool) func(*Config) {
	return func(c *Config) {
		c.GatewayID, c.Control = id, "open"
		c.PostgreSQL.DSN, c.PostgreSQL.Listen = configopaque.String(dsn), listen
	}
}

// beating are agents that only beat.
type beating struct {
	mu       sync.Mutex
	sessions []agentsession.Session
}

func (b *beating) open(t testing.TB, r *registry, id int) {
	t.Helper()
	s, err := r.Open(t.Context(), agentsession.Peer{
		AgentID: fmt.Sprintf("web-%05d-10-0-%d-%d", id, id/256, id%256), Address: fmt.Sprintf("10.0.%d.%d:40000", id/256, id%256), Authentication: agentsession.AuthenticationPSK,
	})
	require.NoError(t, err)
	b.mu.Lock()
	b.sessions = append(b.sessions, s)
	b.mu.Unlock()
	beatOnce(s, id, 0)
}

func beatOnce(s agentsession.Session, id, second int) {
	now := time.Now()
	s.Heartbeat(now, &agentv1.Heartbeat{
		Hostname: fmt.Sprintf("web-%05d", id), Version: "1.24.0", Uptime: float64(second), AgentVersion: "1.110",
		Labels:    map[string]string{"environment": []string{"prod", "test"}[id%2], "rack": strconv.Itoa(id % 100)},
		Instances: []*agentv1.NginxInstance{{Pid: "1", Version: "1.24.0", ConfPath: "/etc/nginx/nginx.conf", Status: "RUNNING"}},
	})
	s.Metrics(now, int64(second*id))
}

// beat has all agents send a heartbeat and a sample each second, until the context ends.
func (b *beating) beat(ctx context.Context) {
	started := time.Now()
	for second := 1; ctx.Err() == nil; second++ {
		b.mu.Lock()
		sessions := slices.Clone(b.sessions)
		b.mu.Unlock()
		for id, s := range sessions {
			beatOnce(s, id, second)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(started.Add(time.Duration(second) * time.Second))):
		}
	}
}

// usage is what PostgreSQL counted.
type usage struct {
	transactions, wal, updates, hot int64
	cpu                             time.Duration
}

func measure(t testing.TB, db, admin *pgx.Conn) usage {
	t.Helper()
	var u usage
	_, err := db.Exec(t.Context(), "select pg_stat_clear_snapshot()")
	require.NoError(t, err)
	require.NoError(t, admin.QueryRow(t.Context(), "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint").Scan(&u.wal))
	require.NoError(t, db.QueryRow(t.Context(), "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()").Scan(&u.transactions))
	require.NoError(t, db.QueryRow(t.Context(), "select sum(n_tup_upd)::bigint, sum(n_tup_hot_upd)::bigint from pg_stat_user_tables").Scan(&u.updates, &u.hot))
	var backend int
	require.NoError(t, admin.QueryRow(t.Context(), "select pg_backend_pid()").Scan(&backend))
	u.cpu = processorTime(t, backend)
	return u
}

// processorTime is what all processes of the server have used, those that ended included.
func processorTime(t testing.TB, backend int) time.Duration {
	t.Helper()
	postmaster := statOf(t, fmt.Sprintf("/proc/%d/stat", backend))[1]
	ticks := int64(0)
	processes, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, file := range processes {
		fields := statOf(t, file)
		if fields == nil {
			continue // ended meanwhile
		}
		own := strconv.FormatInt(fields[1], 10) == strconv.FormatInt(postmaster, 10)
		if own {
			ticks += fields[11] + fields[12]
		}
		if file == fmt.Sprintf("/proc/%d/stat", postmaster) {
			ticks += fields[11] + fields[12] + fields[13] + fields[14]
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond // USER_HZ is 100
}

// statOf returns the numbers after the command's name in /proc/PID/stat: 1 is the parent, 11 to 14 are processor times.
func statOf(t testing.TB, file string) []int64 {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	_, after, _ := strings.Cut(string(text), ") ")
	var numbers []int64
	for _, field := range strings.Fields(after) {
		n, _ := strconv.ParseInt(field, 10, 64) // the first is a letter
		numbers = append(numbers, n)
	}
	return numbers
}

func within(t testing.TB, what string, limit time.Duration, is func() bool) time.Duration {
	t.Helper()
	started := time.Now()
	for !is() {
		if time.Since(started) > 2*limit {
			t.Fatalf("%s took more than %s", what, 2*limit)
		}
		time.Sleep(10 * time.Millisecond)
	}
	took := time.Since(started)
	t.Logf("%-60s %8.3f s (limit %s)", what, took.Seconds(), limit)
	assert.LessOrEqual(t, took, limit, what)
	return took
}

func allSee(registries []*registry, online int) func() bool {
	return func() bool {
		for _, r := range registries {
			if r.fleet.Count().Online != online {
				return false
			}
		}
		return true
	}
}

func BenchmarkFleet(t *testing.B) {
	dsn, admin := durable(t)
	db, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer func() { assert.NoError(t, db.Close(context.Background())) }()
	var registries []*registry
	for i := range figureGateways {
		registries = append(registries, start(t, componenttest.NewNopHost(), onPostgres(dsn, fmt.Sprint("gateway-", i), true)))
	}
	fleets := &beating{}
	for id := range figureAgents {
		fleets.open(t, registries[id%figureGateways], id)
	}
	within(t, "10,000 agents that come at once are online everywhere", 15*time.Second, allSee(registries, figureAgents))
	ctx, cancel := context.WithCancel(t.Context())
	var beats sync.WaitGroup
	beats.Go(func() { fleets.beat(ctx) })
	defer beats.Wait()
	defer cancel()

	figureLoad(t, db, admin)
	figureLists(t, registries[1])
	figureCommands(t, registries[1], fleets.sessions[0], "LISTEN", 500, 100*time.Millisecond)
	figureFailover(t, registries, fleets)
}

func figureLoad(t testing.TB, db, admin *pgx.Conn) {
	t.Helper()
	time.Sleep(20 * time.Second) // facts and first flushes are over
	_, err := admin.Exec(t.Context(), "checkpoint")
	require.NoError(t, err)
	before, started := measure(t, db, admin), time.Now()
	time.Sleep(figureTime)
	after, seconds := measure(t, db, admin), time.Since(started).Seconds()
	rate := float64(after.transactions-before.transactions) / seconds
	wal := float64(after.wal-before.wal) / seconds / (1 << 20)
	cores := (after.cpu - before.cpu).Seconds() / seconds
	updates, hot := after.updates-before.updates, after.hot-before.hot
	t.Logf("%-60s %8.2f /s (limit 15)", "transactions", rate)
	t.Logf("%-60s %8.3f MiB/s (limit 0.2), full pages after a checkpoint included", "write-ahead log", wal)
	t.Logf("%-60s %8.1f %% of %d (limit 100)", "HOT updates", 100*float64(hot)/float64(updates), updates)
	t.Logf("%-60s %8.3f cores (limit 0.1)", "PostgreSQL's processor time", cores)
	assert.LessOrEqual(t, rate, 15.0)
	assert.LessOrEqual(t, wal, 0.2)
	assert.Equal(t, updates, hot)
	assert.LessOrEqual(t, cores, 0.1)
}

func figureLists(t testing.TB, r *registry) {
	t.Helper()
	for _, list := range []struct{ what, query string }{
		{"list of 10,000 filtered by label, first 100", "?label=rack=7"},
		{"list of 10,000 filtered by label, all 5,000, compact", "?label=environment=prod&limit=20000&view=compact"},
		{"list of 10,000, all, compact", "?limit=20000&view=compact"},
	} {
		var took []time.Duration
		for range 50 {
			started := time.Now()
			response, err := http.Get(r.url("/api/v1/agents" + list.query))
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			took = append(took, time.Since(started))
		}
		report(t, list.what, took)
		if strings.HasSuffix(list.query, "rack=7") {
			assert.LessOrEqual(t, quantile(took, 0.5), 50*time.Millisecond)
		}
	}
}

func quantile(took []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func report(t testing.TB, what string, took []time.Duration) {
	t.Helper()
	t.Logf("%-60s %8.1f ms median, %.1f ms p99", what, quantile(took, 0.5).Seconds()*1000, quantile(took, 0.99).Seconds()*1000)
}

// figureCommands measures from the request at another gateway to the command at the agent's stream.
func figureCommands(t testing.TB, asked *registry, session agentsession.Session, how string, n int, limit time.Duration) {
	t.Helper()
	var took []time.Duration
	for range n {
		started := time.Now()
		response, err := http.Post(asked.url("/api/v1/agents/web-00000-10-0-0-0/commands"), "application/json", strings.NewReader(`{"type":"reload"}`))
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, response.StatusCode)
		require.NoError(t, response.Body.Close())
		command := <-session.Commands()
		took = append(took, time.Since(started))
		session.CommandSent(command.CommandId, nil)
		session.CommandResult(&agentv1.CommandResult{CommandId: command.CommandId, Success: true})
		time.Sleep(20 * time.Millisecond)
	}
	report(t, "command from another gateway, "+how, took)
	assert.LessOrEqual(t, quantile(took, 0.99), limit)
}

func figureFailover(t testing.TB, registries []*registry, agents *beating) {
	t.Helper()
	killed, others := registries[0], registries[1:]
	require.NoError(t, killed.store.Close(context.Background())) // no lease, no word: what SIGKILL looks like to the others
	within(t, "2,000 agents of a killed gateway are offline everywhere", 12*time.Second, allSee(others, figureAgents*4/5))
	for id := 0; id < figureAgents; id += figureGateways {
		agents.open(t, others[id%len(others)], id)
	}
	within(t, "2,000 agents are online again on the others", 15*time.Second, allSee(others, figureAgents))
}

func BenchmarkFleetCommandsWithoutListen(t *testing.B) {
	dsn, _ := durable(t)
	holder := start(t, componenttest.NewNopHost(), onPostgres(dsn, "holder", false))
	asked := start(t, componenttest.NewNopHost(), onPostgres(dsn, "asked", false))
	agents := &beating{}
	agents.open(t, holder, 0)
	within(t, "an agent is seen elsewhere without LISTEN", 5*time.Second, allSee([]*registry{holder, asked}, 1))
	figureCommands(t, asked, agents.sessions[0], "polling", 20, 2500*time.Millisecond)
}
