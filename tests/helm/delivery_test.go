package helm

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestHelmTest: the script of `helm test` finds its record, and does what it can where it cannot look.
func TestHelmTest(t *testing.T) {
	m := render(t, set("clickhouse.password=secret")...)
	ch := startClickHouse(t, m)
	g := gatewayOf(t, m, "gateway", ch.Addr(), harness.StartPostgres(t).DSN())
	script := get[*corev1.Pod](m, "avika-delivery-test").Spec.Containers[0]
	require.Equal(t, []string{"sh", "-c"}, script.Command)
	test := func(otlp, clickhouse string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", script.Args[0])
		cmd.Env = append(os.Environ(), "READY_URL="+g.URL("/ready"), "OTLP_URL="+otlp, "CLICKHOUSE_URL="+clickhouse,
			"CLICKHOUSE_DATABASE=nginx_analytics", "CLICKHOUSE_USERNAME=avika", "CLICKHOUSE_PASSWORD=secret")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := test(g.OTLPHTTPURL("/v1/logs"), "http://"+ch.HTTPAddr()+"/")
	require.NoError(t, err, out)
	assert.Contains(t, out, "stored once")
	out, err = test(g.OTLPHTTPURL("/v1/logs"), "")
	require.NoError(t, err, out)
	assert.Contains(t, out, "taken")
	out, err = test("", "")
	require.NoError(t, err, out)
	assert.Contains(t, out, "clients need a certificate")
	env := m.env("avika-delivery-test")
	assert.Equal(t, "http://avika-gateway:5021/ready http://avika-gateway:4318/v1/logs http://avika-clickhouse:8123/ secret",
		strings.Join([]string{env["READY_URL"], env["OTLP_URL"], env["CLICKHOUSE_URL"], env["CLICKHOUSE_PASSWORD"]}, " "))
}
