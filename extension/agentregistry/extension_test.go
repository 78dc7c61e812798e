package agentregistry

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/metadata"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// memoryStorage is a storage extension whose content outlives the clients, as a disk does.
type memoryStorage struct {
	component.StartFunc
	component.ShutdownFunc
	mu     sync.Mutex
	values map[string][]byte
}

func (m *memoryStorage) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return &memoryClient{m}, nil
}

type memoryClient struct{ *memoryStorage }

func (m *memoryClient) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[key], nil
}

func (m *memoryClient) Set(ctx context.Context, key string, value []byte) error {
	return m.Batch(ctx, storage.SetOperation(key, value))
}

func (m *memoryClient) Delete(ctx context.Context, key string) error {
	return m.Batch(ctx, storage.DeleteOperation(key))
}

func (m *memoryClient) Batch(_ context.Context, operations ...*storage.Operation) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range operations {
		switch o.Type {
		case storage.Get:
			o.Value = m.values[o.Key]
		case storage.Set:
			m.values[o.Key] = o.Value
		case storage.Delete:
			delete(m.values, o.Key)
		}
	}
	return nil
}

func (m *memoryClient) Close(context.Context) error { return nil }

// host has extensions.
type host struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h *host) GetExtensions() map[component.ID]component.Component { return h.extensions }

func hostWith(extensions map[component.ID]component.Component) component.Host {
	all := maps.Clone(extensions)
	return &host{Host: componenttest.NewNopHost(), extensions: all}
}

// start runs a registry on a port of its own until the test ends.
func start(t testing.TB, h component.Host, change func(*Config)) *registry {
	t.Helper()
	config := createDefaultConfig().(*Config)
	config.HTTP.NetAddr.Endpoint = "localhost:0"
	config.GatewayID = "gateway-1"
	if change != nil {
		change(config)
	}
	require.NoError(t, config.Validate())
	created, err := newRegistry(extensiontest.NewNopSettings(metadata.Type), config)
	require.NoError(t, err)
	require.NoError(t, created.Start(t.Context(), h))
	t.Cleanup(func() { assert.NoError(t, created.Shutdown(context.Background())) })
	return created
}

func (r *registry) url(path string) string { return "http://" + r.address.String() + path }

func get(t *testing.T, url string) (int, map[string]any) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	body := map[string]any{}
	require.NoError(t, json.Unmarshal(text, &body), "%s", text)
	return response.StatusCode, body
}

func agents(t *testing.T, r *registry, query string) []map[string]any {
	t.Helper()
	code, body := get(t, r.url("/api/v1/agents"+query))
	require.Equal(t, http.StatusOK, code, "%v", body)
	var found []map[string]any
	for _, a := range body["agents"].([]any) {
		found = append(found, a.(map[string]any))
	}
	return found
}

func connect(t *testing.T, r agentsession.Registry, id string) agentsession.Session {
	t.Helper()
	session, err := r.Open(t.Context(), agentsession.Peer{AgentID: id, Address: "192.0.2.7:41000", Authentication: agentsession.AuthenticationPSK})
	require.NoError(t, err)
	t.Cleanup(session.Close)
	return session
}

func heartbeat(labels map[string]string) *agentv1.Heartbeat {
	return &agentv1.Heartbeat{
		Hostname: "web-01", Version: "1.24.0", Uptime: 60, AgentVersion: "1.110", Labels: labels,
		Instances: []*agentv1.NginxInstance{{Pid: "7", Version: "1.24.0", ConfPath: "/etc/nginx/nginx.conf", Status: "RUNNING"}},
	}
}

func TestAgentIsListedOnlineAndThenOffline(t *testing.T) {
	r := start(t, componenttest.NewNopHost(), nil)
	session := connect(t, r, "web-01-192-0-2-7")
	session.Heartbeat(time.Now(), heartbeat(map[string]string{"env": "prod"}))
	found := agents(t, r, "?label=env=prod&status=online")
	require.Len(t, found, 1)
	assert.Equal(t, "web-01-192-0-2-7", found[0]["id"])
	assert.Equal(t, "1.24.0", found[0]["nginx_version"])
	assert.Equal(t, "gateway-1", found[0]["gateway"])
	assert.Equal(t, "192.0.2.7", found[0]["address"])
	assert.Equal(t, "psk", found[0]["authentication"])

	session.Close()
	require.Len(t, agents(t, r, "?status=offline"), 1)
	require.Empty(t, agents(t, r, "?status=online"))
}

func TestProbes(t *testing.T) {
	r := start(t, componenttest.NewNopHost(), nil)
	code, body := get(t, r.url("/health"))
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, "ok", body["status"])
	requireReady := func(code int, status string) {
		t.Helper()
		got, body := get(t, r.url("/ready"))
		assert.Equal(t, code, got)
		assert.Equal(t, status, body["status"])
	}
	requireReady(http.StatusServiceUnavailable, "not_ready")
	require.NoError(t, r.Ready())
	requireReady(http.StatusOK, "ready")
	require.NoError(t, r.NotReady())
	requireReady(http.StatusServiceUnavailable, "not_ready")
}

func TestAgentsSurviveARestartWithStorage(t *testing.T) {
	id := component.MustNewID("file_storage")
	h := hostWith(map[component.ID]component.Component{id: &memoryStorage{values: map[string][]byte{}}})
	withStorage := func(c *Config) { c.Storage = &id }
	first := start(t, h, withStorage)
	session := connect(t, first, "web-01-192-0-2-7")
	session.Heartbeat(time.Now(), heartbeat(map[string]string{"env": "prod"}))
	require.Eventually(t, func() bool { return first.fleet.Incarnation() != 0 }, soon, tick)
	require.NoError(t, first.Shutdown(t.Context()))

	second := start(t, h, withStorage)
	require.Eventually(t, func() bool { return len(agents(t, second, "?status=offline&label=env=prod")) == 1 }, soon, tick)
	assert.Equal(t, "1.24.0", agents(t, second, "")[0]["nginx_version"])
}

func TestShutdownTwiceAndWithoutStart(t *testing.T) {
	created, err := newRegistry(extensiontest.NewNopSettings(metadata.Type), createDefaultConfig().(*Config))
	require.NoError(t, err)
	require.NoError(t, created.Shutdown(t.Context()))
	r := start(t, componenttest.NewNopHost(), nil)
	require.NoError(t, r.Shutdown(t.Context()))
	require.NoError(t, r.Shutdown(t.Context()))
}
