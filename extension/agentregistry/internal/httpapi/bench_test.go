package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/fleet"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store/embedded"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

// discard is a response that goes nowhere.
type discard struct {
	header http.Header
	bytes  int64
}

func (d *discard) Header() http.Header { return d.header }
func (d *discard) WriteHeader(int)     {}
func (d *discard) Write(p []byte) (int, error) {
	d.bytes += int64(len(p))
	return len(p), nil
}

func BenchmarkList(b *testing.B) {
	s := embedded.New()
	f := fleet.New(fleet.Settings{GatewayID: "g"}, s, zap.NewNop(), func(fleet.Database) {}, func() store.Load { return store.Load{} })
	for id := range 10_000 {
		session, err := f.Open(context.Background(), agentsession.Peer{AgentID: fmt.Sprintf("web-%05d-10-0-%d-%d", id, id/256, id%256), Address: "10.0.0.1:4000"})
		if err != nil {
			b.Fatal(err)
		}
		session.Heartbeat(time.Now(), &agentv1.Heartbeat{
			Hostname: fmt.Sprintf("web-%05d", id), Version: "1.24.0", AgentVersion: "1.110",
			Labels: map[string]string{"environment": []string{"prod", "test"}[id%2], "rack": fmt.Sprint(id % 100)},
		})
	}
	handler := New(Settings{GatewayID: "g", Control: ControlOff}, f, s, zap.NewNop(), make(chan struct{}))
	for _, query := range []string{"label=rack=7", "label=environment=prod&limit=20000&view=compact", "limit=20000&view=compact", "limit=20000", "sort=-rate"} {
		b.Run(query, func(b *testing.B) {
			b.ReportAllocs()
			w := &discard{header: http.Header{}}
			r := httptest.NewRequest(http.MethodGet, "/api/v1/agents?"+query, nil)
			for b.Loop() {
				handler.ServeHTTP(w, r)
			}
			b.SetBytes(w.bytes / int64(b.N))
		})
	}
}
