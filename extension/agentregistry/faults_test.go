package agentregistry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/internal/testenv"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

const (
	soon = 30 * time.Second
	tick = 20 * time.Millisecond
)

// server is a PostgreSQL of the test's own, to be broken.
func server(t testing.TB, settings ...string) *localstack.Postgres {
	t.Helper()
	if err := localstack.HavePostgres(); err != nil {
		testenv.Missing(t, err.Error())
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pg, err := localstack.StartPostgres(ctx, localstack.PostgresOptions{Settings: settings})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, pg.Stop()) })
	return pg
}

// swift is a configuration whose times suit a test.
func swift(dsn, id string) func(*Config) {
	return func(c *Config) {
		onPostgres(dsn, id, true)(c)
		c.Lease = LeaseConfig{Duration: 3 * time.Second, RenewInterval: 500 * time.Millisecond}
		c.FlushInterval = time.Second
		c.PostgreSQL.ConnectTimeout, c.PostgreSQL.QueryTimeout = 3*time.Second, 3*time.Second
	}
}

func sees(r *registry, id string, online bool, gateway string) func() bool {
	return func() bool {
		s, ok := r.fleet.Get(id)
		return ok && s.Online == online && (gateway == "" || s.Live.GatewayID == gateway)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	require.Eventually(t, is, soon, tick, what)
}

func databaseIs(r *registry, state fleet.DatabaseState) func() bool {
	return func() bool { return r.fleet.DatabaseState().State == state }
}

func TestPostgresAwayAtStartAndInTheMiddle(t *testing.T) {
	t.Parallel()
	pg := server(t)
	require.NoError(t, pg.Shutdown())
	// A start that waited for the database would not come to an end.
	one := start(t, componenttest.NewNopHost(), swift(pg.DSN(), "one"))
	two := start(t, componenttest.NewNopHost(), swift(pg.DSN(), "two"))
	early := connect(t, one, "early")
	early.Heartbeat(time.Now(), heartbeat(nil))
	require.True(t, sees(one, "early", true, "one")())
	eventually(t, "the outage is known", databaseIs(one, fleet.Unavailable))
	_, body := get(t, one.url("/api/v1/agents"))
	assert.Equal(t, "unavailable", body["database"].(map[string]any)["state"])
	assert.NotEmpty(t, body["database"].(map[string]any)["error"])

	require.NoError(t, pg.Restart(t.Context()))
	eventually(t, "the other gateway sees the agent", sees(two, "early", true, "one"))
	eventually(t, "facts caught up", func() bool {
		s, _ := two.fleet.Get("early")
		return s.Facts.NginxVersion == "1.24.0"
	})
	require.NoError(t, pg.Shutdown())
	eventually(t, "the outage is known", databaseIs(two, fleet.Unavailable))
	connect(t, two, "during")
	early.Close()
	assert.True(t, sees(one, "early", false, "")(), "its own agents' state is known without a database")
	require.NoError(t, pg.Restart(t.Context()))
	eventually(t, "connected during the outage", sees(one, "during", true, "two"))
	eventually(t, "ended during the outage", sees(two, "early", false, ""))
}

func TestPostgresCrashes(t *testing.T) {
	t.Parallel()
	pg := server(t)
	one := start(t, componenttest.NewNopHost(), swift(pg.DSN(), "one"))
	two := start(t, componenttest.NewNopHost(), swift(pg.DSN(), "two"))
	connect(t, one, "a")
	eventually(t, "online", sees(two, "a", true, "one"))
	for range 3 {
		require.NoError(t, pg.Kill())
		require.NoError(t, pg.Restart(t.Context()))
		eventually(t, "online after a crash", func() bool {
			return databaseIs(one, fleet.Connected)() && databaseIs(two, fleet.Connected)() && sees(two, "a", true, "one")()
		})
	}
	eventually(t, "commands are taken", func() bool {
		code, _ := post(t, two, "/api/v1/agents/a/commands", `{"type":"reload"}`)
		return code == http.StatusAccepted
	})
}

func post(t *testing.T, r *registry, path, body string) (int, string) {
	t.Helper()
	response, err := http.Post(r.url(path), "application/json", strings.NewReader(body))
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func execute(t *testing.T, pg *localstack.Postgres, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pg.DSN())
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	for _, statement := range statements {
		_, err := conn.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

func TestPostgresReadOnly(t *testing.T) {
	t.Parallel()
	pg := server(t)
	one := start(t, componenttest.NewNopHost(), swift(pg.DSN(), "one"))
	connect(t, one, "a")
	eventually(t, "connected", databaseIs(one, fleet.Connected))
	disconnect := "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'avika agent_registry'"
	execute(t, pg, "alter system set default_transaction_read_only = on", "select pg_reload_conf()", "select pg_sleep(0.2)", disconnect)
	eventually(t, "known as unavailable", databaseIs(one, fleet.Unavailable))
	connect(t, one, "b")
	code, body := post(t, one, "/api/v1/agents/a/commands", `{"type":"reload"}`)
	assert.Equal(t, http.StatusServiceUnavailable, code, body)
	assert.Contains(t, body, "database-unavailable")
	execute(t, pg, "set default_transaction_read_only = off", "alter system reset default_transaction_read_only", "select pg_reload_conf()", "select pg_sleep(0.2)", disconnect)
	eventually(t, "writable again", databaseIs(one, fleet.Connected))
	two := start(t, componenttest.NewNopHost(), swift(pg.DSN(), "two"))
	eventually(t, "caught up", sees(two, "b", true, "one"))
}

func TestNetworkCutBetweenAGatewayAndPostgres(t *testing.T) {
	t.Parallel()
	pg := server(t)
	w := newWire(t, pg.Addr())
	one := start(t, componenttest.NewNopHost(), swift(w.dsn(), "one"))
	two := start(t, componenttest.NewNopHost(), swift(pg.DSN(), "two"))
	connect(t, one, "stays")
	connect(t, one, "moves")
	eventually(t, "online", func() bool { return sees(two, "stays", true, "one")() && sees(two, "moves", true, "one")() })
	asked := func(path string) int {
		impatient := http.Client{Timeout: 10 * one.config.PostgreSQL.QueryTimeout}
		answer, err := impatient.Get(one.url(path))
		if !assert.NoError(t, err, "people are not kept waiting for a database that does not answer") {
			return 0
		}
		assert.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	var people sync.WaitGroup
	for range 8 { // who leave connections behind that look well
		people.Go(func() { assert.Equal(t, http.StatusOK, asked("/api/v1/agents/stays/history")) })
	}
	people.Wait()
	w.sever()
	assert.Equal(t, http.StatusServiceUnavailable, asked("/api/v1/agents/stays/history"))
	assert.Equal(t, http.StatusOK, asked("/api/v1/agents/stays"))
	eventually(t, "offline for the others, as nobody vouches for it", sees(two, "stays", false, ""))
	assert.True(t, sees(one, "stays", true, "one")())
	connect(t, two, "moves")
	connect(t, one, "new")
	w.mend()
	eventually(t, "online again", sees(two, "stays", true, "one"))
	eventually(t, "connected during the cut", sees(two, "new", true, "one"))
	eventually(t, "moved during the cut", sees(one, "moves", true, "two"))
	eventually(t, "still where it moved to", sees(two, "moves", true, "two"))
}

func TestSchemaNewerThanTheBinary(t *testing.T) {
	t.Parallel()
	pg := server(t)
	first := start(t, componenttest.NewNopHost(), swift(pg.DSN(), "first"))
	eventually(t, "connected", databaseIs(first, fleet.Connected))
	execute(t, pg, "update avika.schema_version set version = 7")
	compatible := start(t, componenttest.NewNopHost(), swift(pg.DSN(), "compatible"))
	eventually(t, "a newer schema that says it works is used", databaseIs(compatible, fleet.Connected))

	execute(t, pg, "update avika.compatibility set oldest = 7")
	watched := &watcher{Host: componenttest.NewNopHost()}
	old := start(t, watched, swift(pg.DSN(), "old"))
	eventually(t, "one that needs a newer binary is not", databaseIs(old, fleet.Unavailable))
	_, body := get(t, old.url("/api/v1/status"))
	assert.Contains(t, body["database"].(map[string]any)["error"], "needs a gateway that knows version 7")
	connect(t, old, "a")
	assert.True(t, sees(old, "a", true, "old")(), "agents are served nevertheless")
	eventually(t, "the collector is told", func() bool { return watched.last() == componentstatus.StatusRecoverableError })
	execute(t, pg, "update avika.compatibility set oldest = 1")
	eventually(t, "used when it fits again", databaseIs(old, fleet.Connected))
	eventually(t, "the collector is told", func() bool { return watched.last() == componentstatus.StatusOK })
}

// watcher is a host that remembers what it was told.
type watcher struct {
	component.Host
	mu     sync.Mutex
	status componentstatus.Status
}

func (w *watcher) Report(e *componentstatus.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status = e.Status()
}

func (w *watcher) last() componentstatus.Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

func TestGatewaysThatStartTogether(t *testing.T) {
	t.Parallel()
	pg := server(t)
	var starting sync.WaitGroup
	var all [8]*registry
	for i := range all {
		starting.Go(func() { all[i] = start(t, componenttest.NewNopHost(), swift(pg.DSN(), fmt.Sprint("gateway-", i))) })
	}
	starting.Wait()
	connect(t, all[0], "a")
	for _, r := range all {
		eventually(t, "online everywhere", sees(r, "a", true, "gateway-0"))
	}
}

func TestNotificationsLost(t *testing.T) {
	t.Parallel()
	pg := server(t)
	one := start(t, componenttest.NewNopHost(), swift(pg.DSN(), "one"))
	two := start(t, componenttest.NewNopHost(), swift(pg.DSN(), "two"))
	session := connect(t, one, "a")
	eventually(t, "online", sees(two, "a", true, "one"))
	ctx, cancel := context.WithCancel(t.Context())
	var breaking sync.WaitGroup
	breaking.Go(func() {
		conn, err := pgx.Connect(ctx, pg.DSN())
		if !assert.NoError(t, err) {
			return
		}
		defer func() { _ = conn.Close(context.Background()) }()
		for ctx.Err() == nil {
			_, _ = conn.Exec(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where query = 'listen avika_registry'")
			time.Sleep(10 * time.Millisecond)
		}
	})
	for range 10 {
		code, body := post(t, two, "/api/v1/agents/a/commands", `{"type":"reload"}`)
		require.Equal(t, http.StatusAccepted, code, body)
		select {
		case command := <-session.Commands():
			session.CommandSent(command.CommandId, nil)
		case <-time.After(soon):
			t.Fatal("the command was not found by polling")
		}
	}
	cancel()
	breaking.Wait()
}

// clockOff is an hour, as far as a wrong clock goes here.
const clockOff = time.Hour

func TestClockOfAGatewayAnHourOff(t *testing.T) {
	t.Parallel()
	pg := server(t)
	for _, off := range []time.Duration{clockOff, -clockOff} {
		wrong := start(t, componenttest.NewNopHost(), func(c *Config) {
			swift(pg.DSN(), fmt.Sprint("wrong ", off))(c)
			c.clock = func() time.Time { return time.Now().Add(off) }
		})
		right := start(t, componenttest.NewNopHost(), swift(pg.DSN(), fmt.Sprint("right ", off)))
		id := fmt.Sprint("agent ", off)
		session := connect(t, wrong, id)
		session.Heartbeat(time.Now(), heartbeat(nil))
		for _, r := range []*registry{wrong, right} {
			eventually(t, "online", sees(r, id, true, ""))
			eventually(t, "with the right times", func() bool {
				s, _ := r.fleet.Get(id)
				return near(s.Since) && near(s.Live.LastSeen) && near(s.Live.OpenedAt) && near(r.fleet.Now())
			})
		}
		time.Sleep(4 * time.Second)
		eventually(t, "its lease is by the database's clock", sees(right, id, true, ""))
		moved := connect(t, right, id)
		eventually(t, "moved", sees(wrong, id, true, fmt.Sprint("right ", off)))
		session.Close()
		moved.Close()
		eventually(t, "offline", sees(wrong, id, false, ""))
		s, _ := wrong.fleet.Get(id)
		assert.True(t, near(s.Since), "%s", s.Since)
	}
}

func near(at time.Time) bool { return time.Since(at).Abs() < time.Minute }

func TestHostileAgents(t *testing.T) {
	t.Parallel()
	pg := server(t)
	one := start(t, componenttest.NewNopHost(), swift(pg.DSN(), "one"))
	two := start(t, componenttest.NewNopHost(), swift(pg.DSN(), "two"))
	const evil = "'; drop schema avika cascade; -- <script>alert(1)</script>\x00\xff\x1b[2J$1%s\\"
	labels := map[string]string{evil: evil}
	for i := range 1000 {
		labels[fmt.Sprint(i, evil)] = strings.Repeat(evil, 20)
	}
	session, err := one.Open(t.Context(), agentsession.Peer{AgentID: "evil" + evil[:40], Hostname: evil, Address: evil, Authentication: agentsession.AuthenticationNone})
	require.NoError(t, err)
	defer session.Close()
	session.Heartbeat(time.Now(), &agentv1.Heartbeat{
		Hostname: evil, Version: evil, AgentVersion: evil, BuildDate: evil, GitCommit: evil, GitBranch: evil, PodIp: evil, MgmtAddress: evil,
		MgmtAddressCandidates: []string{evil}, Labels: labels, Instances: []*agentv1.NginxInstance{{Pid: evil, Version: evil, ConfPath: evil, Status: evil}},
	})
	session.State(time.Now(), &agentv1.StateSnapshot{ConfigHash: evil, ConfigHashes: &agentv1.ConfigHashes{
		MainConfHash: evil, SiteConfigs: []*agentv1.FileHash{{Path: evil, Hash: evil, ModifiedAt: -1 << 62, Size: -5}},
		Certificates: []*agentv1.CertHashInfo{{Domain: evil, Issuer: evil, CertPath: evil, CertHash: evil, ExpiryTimestamp: 1 << 62}}, ComputedAt: 1 << 62,
	}})
	session.CommandResult(&agentv1.CommandResult{CommandId: evil, ErrorMessage: evil})
	honest := connect(t, one, "honest")
	honest.Heartbeat(time.Now(), heartbeat(map[string]string{"env": "prod"}))
	for _, r := range []*registry{one, two} {
		eventually(t, "both are known", func() bool {
			states, _ := r.fleet.List(fleet.Filter{Text: "drop schema"}, fleet.Page{Limit: 10})
			s, _ := r.fleet.Get("honest")
			return len(states) == 1 && states[0].Facts.LabelsTruncated && s.Facts.NginxVersion != "" && states[0].Agent.Config.Digest != ""
		})
		response, err := http.Get(r.url("/api/v1/agents"))
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.NotContains(t, string(text), "<script>")
		assert.Less(t, len(text), 256<<10)
	}
	eventually(t, "the database works on", databaseIs(one, fleet.Connected))
}
