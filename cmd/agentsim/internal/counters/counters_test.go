package counters

import (
	"testing"

	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func TestTraffic(t *testing.T) {
	var c Traffic
	for _, status := range []int32{200, 204, 301, 404, 499, 503, 500, 9, 700} {
		c.Add(status, 0.025, 10, 100)
	}
	c.Add(200, 60, 0, 0)
	m := &agentv1.NginxMetrics{}
	c.Fill(m)
	s := m.HttpStatus
	if s.Status_2XxCount != 3 || s.Status_200Count != 2 || s.Status_3XxCount != 1 || s.Status_4XxCount != 2 ||
		s.Status_404Count != 1 || s.Status_5XxCount != 2 || s.Status_503Count != 1 {
		t.Errorf("status %v", s)
	}
	if m.BytesInTotal != 90 || m.BytesOutTotal != 900 || c.Requests() != 10 {
		t.Errorf("sums %v, %d requests", m, c.Requests())
	}
	// 25 ms belongs to the bucket that ends there; a minute lies beyond all bounds.
	if b := m.LatencyDistribution; b[1].Count != 0 || b[2].Le != 25 || b[2].Count != 9 || b[len(b)-1].Count != 9 {
		t.Errorf("latency %v", b)
	}
}
