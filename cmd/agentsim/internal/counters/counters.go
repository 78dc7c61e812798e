// Package counters holds what a stock agent derives from the access log since it started.
package counters

import "github.com/avika-ai/avika-collector/proto/agentv1"

// bounds of the latency distribution, in milliseconds.
var bounds = [...]float32{5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000}

// Traffic adds up requests. It is not safe for concurrent use.
type Traffic struct {
	requests, bytesIn, bytesOut int64
	status                      agentv1.HttpStatusMetrics
	buckets                     [len(bounds) + 1]int64 // the last one is beyond all bounds
}

// Add counts one request. Sizes are bytes; NGINX does not log the size of requests in the formats agents read, so in is
// what the caller estimates.
func (t *Traffic) Add(status int32, seconds float32, in, out int64) {
	t.requests++
	t.bytesIn += in
	t.bytesOut += out
	t.addStatus(status)
	t.buckets[bucket(seconds*1000)]++
}

func (t *Traffic) addStatus(status int32) {
	s := &t.status
	switch status / 100 {
	case 2:
		s.Status_2XxCount++
	case 3:
		s.Status_3XxCount++
	case 4:
		s.Status_4XxCount++
	case 5:
		s.Status_5XxCount++
	}
	switch status {
	case 200:
		s.Status_200Count++
	case 404:
		s.Status_404Count++
	case 503:
		s.Status_503Count++
	}
}

func bucket(ms float32) int {
	for i, le := range bounds {
		if ms <= le {
			return i
		}
	}
	return len(bounds)
}

// Requests is the number of requests so far.
func (t *Traffic) Requests() int64 { return t.requests }

// Fill puts the counters into m. Bucket counts are cumulative, as "le" says.
func (t *Traffic) Fill(m *agentv1.NginxMetrics) {
	m.BytesInTotal, m.BytesOutTotal = t.bytesIn, t.bytesOut
	m.HttpStatus = &agentv1.HttpStatusMetrics{
		Status_2XxCount: t.status.Status_2XxCount, Status_200Count: t.status.Status_200Count,
		Status_3XxCount: t.status.Status_3XxCount, Status_4XxCount: t.status.Status_4XxCount,
		Status_404Count: t.status.Status_404Count, Status_5XxCount: t.status.Status_5XxCount,
		Status_503Count: t.status.Status_503Count,
	}
	m.LatencyDistribution = make([]*agentv1.HistogramBucket, len(bounds))
	var sum int64
	for i, le := range bounds {
		sum += t.buckets[i]
		m.LatencyDistribution[i] = &agentv1.HistogramBucket{Le: le, Count: sum}
	}
}
