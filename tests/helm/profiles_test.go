package helm

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// profiles are the ways the chart is meant to be installed.
var profiles = map[string][]string{
	"no profile":            {},
	"default":               {"default"},
	"medium":                {"medium"},
	"large":                 {"large"},
	"enterprise":            {"enterprise"},
	"queued":                {"queued"},
	"enterprise and queued": {"enterprise", "queued"},
}

func TestLint(t *testing.T) {
	for name, files := range profiles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := helm(t, append([]string{"lint", chart, "--strict", "--kube-version", kubernetes}, profile(files...)...)...)
			require.NoError(t, err, out)
			assert.NotContains(t, out, "[WARNING]")
		})
	}
}

// TestGuideTable: gateways and ClickHouse's memory as the guide's table of profiles has them.
func TestGuideTable(t *testing.T) {
	for _, c := range []struct {
		profile  string
		replicas int32
		memory   string
	}{{"default", 1, "2Gi"}, {"medium", 2, "4Gi"}, {"large", 3, "8Gi"}} {
		t.Run(c.profile, func(t *testing.T) {
			m := render(t, profile(c.profile)...)
			assert.Equal(t, c.replicas, *get[*appsv1.Deployment](m, "avika-gateway").Spec.Replicas)
			assert.Equal(t, c.memory, limits(m, "avika-clickhouse").Memory().String())
			assert.Nil(t, find[*autoscalingv2.HorizontalPodAutoscaler](m, "avika-gateway"))
		})
	}
}

func limits(m *manifests, pod string) *corev1.ResourceList {
	return &m.pods()[pod].Containers[0].Resources.Limits
}

func requests(m *manifests, pod string) *corev1.ResourceList {
	return &m.pods()[pod].Containers[0].Resources.Requests
}

func quantity(t *testing.T, list *corev1.ResourceList, cpu, memory string) {
	t.Helper()
	assert.Zero(t, list.Cpu().Cmp(resource.MustParse(cpu)), "CPU %s, want %s", list.Cpu(), cpu)
	assert.Zero(t, list.Memory().Cmp(resource.MustParse(memory)), "memory %s, want %s", list.Memory(), memory)
}

// TestDefaultColumn: the "Default" columns of the guide hold without a profile, and the profile says the same.
func TestDefaultColumn(t *testing.T) {
	plain := render(t)
	quantity(t, limits(plain, "avika-gateway"), "500m", "512Mi")
	env := plain.env("avika-gateway")
	for name, want := range map[string]string{
		"CH_LOG_BUFFER_SIZE": "100000", "CH_SPAN_BUFFER_SIZE": "200000", "CH_LOG_BATCH_SIZE": "10000",
		"CH_SPAN_BATCH_SIZE": "20000", "CH_FLUSH_INTERVAL_MS": "100", "CH_MAX_OPEN_CONNS": "20",
	} {
		assert.Equal(t, want, env[name], name)
	}
	assert.NotContains(t, env, "GOMAXPROCS")
	assert.Equal(t, "409MiB", env["GOMEMLIMIT"], "80 % of 512Mi")
	written := render(t, profile("default")...)
	for _, name := range []string{"avika-gateway", "avika-clickhouse", "avika-postgresql"} {
		assert.Equal(t, text(t, plain.pods()[name]), text(t, written.pods()[name]), name)
	}
}

// TestEnterprise: every number of the guide's blocks.
func TestEnterprise(t *testing.T) {
	m := render(t, profile("enterprise")...)
	quantity(t, limits(m, "avika-gateway"), "2", "2Gi")
	quantity(t, requests(m, "avika-gateway"), "500m", "512Mi")
	hpa := get[*autoscalingv2.HorizontalPodAutoscaler](m, "avika-gateway").Spec
	assert.Equal(t, []int32{3, 10, 60}, []int32{*hpa.MinReplicas, hpa.MaxReplicas, *hpa.Metrics[0].Resource.Target.AverageUtilization})
	assert.Equal(t, "Deployment avika-gateway", hpa.ScaleTargetRef.Kind+" "+hpa.ScaleTargetRef.Name)
	env := m.env("avika-gateway")
	for name, want := range map[string]string{
		"GOGC": "100", "GOMEMLIMIT": "1800MiB", "GOMAXPROCS": "4",
		"CH_LOG_BUFFER_SIZE": "500000", "CH_SPAN_BUFFER_SIZE": "1000000", "CH_LOG_BATCH_SIZE": "50000",
		"CH_SPAN_BATCH_SIZE": "100000", "CH_FLUSH_INTERVAL_MS": "50", "CH_MAX_OPEN_CONNS": "50",
	} {
		assert.Equal(t, want, env[name], name)
	}
	quantity(t, limits(m, "avika-clickhouse"), "8", "16Gi")
	quantity(t, requests(m, "avika-clickhouse"), "4", "8Gi")
	assert.Equal(t, "100Gi", disk(m, "avika-clickhouse"))
	quantity(t, limits(m, "avika-postgresql"), "2", "2Gi")
	assert.Equal(t, "20Gi", disk(m, "avika-postgresql"))
	conf := get[*corev1.ConfigMap](m, "avika-postgresql").Data["postgresql.conf"]
	for _, line := range []string{"max_connections = 500", "shared_buffers = 512MB", "work_mem = 16MB", "effective_cache_size = 1GB"} {
		assert.Contains(t, strings.Split(conf, "\n"), line)
	}
	if !official() {
		assert.EqualValues(t, 5, m.values("avika-gateway")["replicaCount"])
	}
}

func text(t *testing.T, object any) string {
	t.Helper()
	out, err := yaml.Marshal(object)
	require.NoError(t, err)
	return string(out)
}

func disk(m *manifests, name string) string {
	set := get[*appsv1.StatefulSet](m, name)
	return set.Spec.VolumeClaimTemplates[0].Spec.Resources.Requests.Storage().String()
}

// TestEnterpriseResources: with the queue, the guide's resource summary. Its "OTel Collector" is the writer.
func TestEnterpriseResources(t *testing.T) {
	m := render(t, append(profile("enterprise", "queued"), set("gateway.autoscaling.enabled=false")...)...)
	for name, want := range map[string]struct {
		replicas    int32
		cpu, memory string
	}{
		"avika-gateway": {5, "2", "2Gi"}, "avika-clickhouse": {1, "8", "16Gi"}, "avika-postgresql": {1, "2", "2Gi"},
		"avika-redpanda": {3, "4", "8Gi"}, "avika-writer": {2, "2", "2Gi"},
	} {
		assert.Equal(t, want.replicas, replicas(m, name), name)
		quantity(t, limits(m, name), want.cpu, want.memory)
	}
	cpu, memory := resource.Quantity{}, resource.Quantity{}
	for name, pod := range m.pods() {
		for range replicas(m, name) {
			cpu.Add(*pod.Containers[0].Resources.Limits.Cpu())
			memory.Add(*pod.Containers[0].Resources.Limits.Memory())
		}
	}
	assert.Equal(t, "36 56Gi", cpu.String()+" "+memory.String())
	assert.Equal(t, "50Gi", disk(m, "avika-redpanda"))
}

// replicas is 0 for what does not run all the time.
func replicas(m *manifests, name string) int32 {
	if d := find[*appsv1.Deployment](m, name); d != nil {
		return *d.Spec.Replicas
	}
	if s := find[*appsv1.StatefulSet](m, name); s != nil {
		return *s.Spec.Replicas
	}
	return 0
}
