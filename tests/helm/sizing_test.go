package helm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/avika-ai/avika-collector/internal/sizing"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestChartAndCommandAgree: the templates and internal/sizing have the same formulas.
func TestChartAndCommandAgree(t *testing.T) {
	for _, c := range []struct {
		agents, rps, days, logBuffer, spanBuffer int
	}{
		{1, 100, 1, 100_000, 200_000},
		{20, 1_000, 7, 100_000, 200_000},
		{21, 12_345, 30, 100_000, 200_000},
		{100, 100_000, 7, 500_000, 1_000_000},
		{1_000, 250_000, 14, 300_000, 600_000},
	} {
		name := fmt.Sprintf("%d agents, %d rps, %d days", c.agents, c.rps, c.days)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			need := sizing.Default()
			need.Agents, need.RPS, need.Retention = c.agents, float64(c.rps), time.Duration(c.days)*24*time.Hour
			need.LogBuffer, need.SpanBuffer = c.logBuffer, c.spanBuffer
			want := sizing.Of(need)
			m := render(t, set(fmt.Sprintf("sizing.agents=%d,sizing.rps=%d,sizing.retentionDays=%d", c.agents, c.rps, c.days),
				fmt.Sprintf("clickhouse.config.logBufferSize=%d,clickhouse.config.spanBufferSize=%d", c.logBuffer, c.spanBuffer))...)
			assert.EqualValues(t, want.GatewayReplicas, replicas(m, "avika-gateway"))
			same(t, want.GatewayMemory(), limits(m, "avika-gateway").Memory())
			same(t, want.ClickHouseMemory(), limits(m, "avika-clickhouse").Memory())
			assert.Equal(t, canonical(want.Storage()), disk(m, "avika-clickhouse"))
		})
	}
}

// TestValuesOfTheCommand: an installation with them keeps logs as long, and holds as many rows, as the sizes are for.
func TestValuesOfTheCommand(t *testing.T) {
	out, err := exec.Command(harness.Binary(t, "avika-sizing"), "--agents=100", "--rps=100000", "--retention=30d", "--log-buffer=500000",
		"--span-buffer=1000000", "--output=values").Output()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "sizing.yaml")
	require.NoError(t, os.WriteFile(file, out, 0o600))
	m, notes := install(t, installDefault, "-f", file)
	assert.Equal(t, "720h", at(t, m.config("avika-gateway"), "exporters", "ch_batch", "ttl", "access_logs"))
	assert.Equal(t, "500000", m.env("avika-gateway")["CH_LOG_BUFFER_SIZE"])
	same(t, "1344Mi", limits(m, "avika-gateway").Memory())
	assert.Equal(t, canonical("19440Gi"), disk(m, "avika-clickhouse"))
	assert.Contains(t, notes, "30 days (a fleet for the enterprise profile)")
	assert.NotContains(t, notes, "less than the plan")
}

func same(t *testing.T, want string, got *resource.Quantity) {
	t.Helper()
	assert.Zero(t, got.Cmp(resource.MustParse(want)), "%s, want %s", got, want)
}

func canonical(size string) string {
	q := resource.MustParse(size)
	return q.String()
}

// TestGivenValuesWinOverSizing, each by itself.
func TestGivenValuesWinOverSizing(t *testing.T) {
	intent := "sizing.agents=100,sizing.rps=100000"
	for _, c := range []struct{ given, replicas, gateway, clickhouse, storage string }{
		{"sizing.logBytes=500", "6", "512Mi", "7Gi", "4536Gi"},
		{"gateway.replicaCount=1", "1", "512Mi", "7Gi", "4536Gi"},
		{"gateway.resources.limits.memory=3Gi", "6", "3Gi", "7Gi", "4536Gi"},
		{"clickhouse.resources.limits.memory=32Gi", "6", "512Mi", "32Gi", "4536Gi"},
		{"clickhouse.persistence.size=1Ti", "6", "512Mi", "7Gi", "1Ti"},
	} {
		m := render(t, set(intent, c.given)...)
		assert.Equal(t, c.replicas, fmt.Sprint(replicas(m, "avika-gateway")), c.given)
		same(t, c.gateway, limits(m, "avika-gateway").Memory())
		same(t, c.clickhouse, limits(m, "avika-clickhouse").Memory())
		assert.Equal(t, canonical(c.storage), disk(m, "avika-clickhouse"), c.given)
	}
}

// TestRequestsFollowGivenLimits: a pod that asks for more than its limit is refused by Kubernetes.
func TestRequestsFollowGivenLimits(t *testing.T) {
	m := render(t, append(profile("queued"), set("gateway.resources.limits.cpu=100m", "clickhouse.resources.limits.cpu=0.4", "writer.resources.limits.cpu=1")...)...)
	quantity(t, requests(m, "avika-gateway"), "25m", "128Mi")
	quantity(t, requests(m, "avika-clickhouse"), "200m", "1Gi")
	quantity(t, requests(m, "avika-writer"), "250m", "512Mi")
	m = render(t, set("gateway.resources.requests.cpu=90m", "gateway.resources.limits.cpu=100m")...)
	quantity(t, requests(m, "avika-gateway"), "90m", "128Mi")
}

// TestSizingOfWhatIsKnown: agents alone say nothing of ClickHouse.
func TestSizingOfWhatIsKnown(t *testing.T) {
	m := render(t, set("sizing.agents=40")...)
	assert.EqualValues(t, 3, replicas(m, "avika-gateway"))
	quantity(t, limits(m, "avika-gateway"), "1", "512Mi")
	quantity(t, limits(m, "avika-clickhouse"), "2", "2Gi")
	m = render(t, set("sizing.rps=50000")...)
	assert.EqualValues(t, 1, replicas(m, "avika-gateway"))
	quantity(t, limits(m, "avika-clickhouse"), "4", "4608Mi")
}

func TestSizingOfTheAutoscaler(t *testing.T) {
	for args, want := range map[string][]int32{
		"sizing.agents=100":                   {6, 12},
		"sizing.agents=20":                    {2, 10},
		"gateway.autoscaling.minReplicas=4":   {4, 10},
		"gateway.autoscaling.maxReplicas=200": {1, 200},
	} {
		m := render(t, set("gateway.autoscaling.enabled=true", args)...)
		hpa := get[*autoscalingv2.HorizontalPodAutoscaler](m, "avika-gateway").Spec
		assert.Equal(t, want, []int32{*hpa.MinReplicas, hpa.MaxReplicas}, args)
		assert.Nil(t, get[*appsv1.Deployment](m, "avika-gateway").Spec.Replicas, "the autoscaler's")
	}
}

// TestQueryMemoryFollowsThePod: the guide's 12 GB for a query are for its 16Gi.
func TestQueryMemoryFollowsThePod(t *testing.T) {
	for memory, want := range map[string]string{"16Gi": "12025908428", "2Gi": "1503238553"} {
		m := render(t, set("clickhouse.resources.limits.memory="+memory)...)
		assert.Contains(t, configMap(m, "avika-clickhouse-users").Data["pod.xml"], "<max_memory_usage>"+want+"</max_memory_usage>")
	}
}
