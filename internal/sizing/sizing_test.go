package sizing

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// guide is the enterprise example of the scaling guide: 100,000 requests a second from 100 agents.
func guide() Need {
	n := Default()
	n.Agents, n.RPS, n.LogBuffer, n.SpanBuffer = 100, 100_000, 500_000, 1_000_000
	return n
}

func TestGuideExample(t *testing.T) {
	require.NoError(t, guide().Validate())
	assert.Equal(t, Plan{
		Profile: "enterprise", GatewayReplicas: 6, AgentsPerReplica: 17, BufferMB: 500, GatewayMemoryMB: 256 + 34 + 1000,
		ClickHouseMemoryGB: 7, StoragePerDayGB: 648, StorageGB: 4536,
	}, Of(guide()))
}

func TestGuideStorageForADay(t *testing.T) {
	n := guide()
	n.Retention = day
	assert.InDelta(t, 648, Of(n).StorageGB, 1e-9)
}

// The guide's default limit of 512Mi is what its formula gives for its default buffers.
func TestDefaultBuffersFitTheDefaultLimit(t *testing.T) {
	n := Default()
	plan := Of(n)
	assert.Equal(t, 256.0+5*2+100*2, plan.GatewayMemoryMB)
	assert.Equal(t, "512Mi", plan.GatewayMemory())
}

func TestReplicas(t *testing.T) {
	for agents, want := range map[int]int{1: 2, 20: 2, 21: 3, 40: 3, 100: 6, 101: 7, 1000: 51} {
		n := Default()
		n.Agents = agents
		assert.Equal(t, want, Of(n).GatewayReplicas, "%d agents", agents)
	}
}

func TestClickHouseMemory(t *testing.T) {
	for rps, want := range map[float64]string{0: "2Gi", 1000: "2112Mi", 10_000: "2560Mi", 50_000: "4608Mi", 100_000: "7Gi"} {
		n := Default()
		n.RPS = rps
		assert.Equal(t, want, Of(n).ClickHouseMemory(), "%v rps", rps)
	}
}

func TestStorage(t *testing.T) {
	n := Default()
	assert.Equal(t, "46Gi", Of(n).Storage()) // 45.36 GB
	n.Retention = time.Hour
	assert.Equal(t, "10Gi", Of(n).Storage())
}

func TestProfileFor(t *testing.T) {
	for _, c := range []struct {
		agents int
		rps    float64
		want   string
	}{
		{1, 0, "default"},
		{10, 1000, "default"},
		{11, 1000, "medium"},
		{10, 1001, "medium"},
		{50, 10_000, "medium"},
		{51, 1, "large"},
		{100, 50_000, "large"},
		{100, 100_000, "enterprise"},
		{101, 1, "enterprise"},
	} {
		assert.Equal(t, c.want, ProfileFor(c.agents, c.rps), "%d agents, %v rps", c.agents, c.rps)
	}
}

func TestValidateNamesEveryBadField(t *testing.T) {
	err := Need{RPS: math.NaN(), CompressionRatio: 2}.Validate()
	for _, want := range []string{
		"agents must be positive, is 0", "rps must be a number of at least 0, is NaN", "retention must be at least 1s, is 0s",
		"log-bytes must be positive", "span-bytes must be positive", "compression-ratio must be above 0 and at most 1, is 2",
		"log-buffer must be positive", "span-buffer must be positive",
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NoError(t, Default().Validate())
}
