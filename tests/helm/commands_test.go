package helm

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// The scaling guide's command lines, word by word. Those with kubectl run in TestCluster, on a real API server.
const (
	installDefault    = `helm install avika ./deploy/helm/avika`
	installEnterprise = `helm install avika ./deploy/helm/avika -f ./deploy/helm/avika/profiles/enterprise.yaml`
	deployEnterprise  = `helm install avika ./deploy/helm/avika -f ./deploy/helm/avika/profiles/enterprise.yaml` +
		` --set postgresql.auth.password=<secure-password> --set clickhouse.password=<secure-password> --namespace avika-prod`
)

// commandLine is the arguments of a command, with the chart that has its dependency in place of the repository's.
func commandLine(command string) []string {
	return strings.Fields(strings.ReplaceAll(command, "./deploy/helm/avika", chart))[1:]
}

// install renders what a command line of the guide installs, and returns the manifests and the notes.
func install(t *testing.T, command string, more ...string) (*manifests, string) {
	t.Helper()
	args := commandLine(command)
	require.Equal(t, "install", args[0])
	args[0] = "template"
	out, err := helm(t, append(append(args, "--kube-version", kubernetes), more...)...)
	require.NoError(t, err)
	m := decode(t, out)
	return m, configMap(m, "notes").Data["notes"]
}

// TestNotesSayHowToAsk: the lines can be pasted, also with a token and TLS.
func TestNotesSayHowToAsk(t *testing.T) {
	_, notes := install(t, installDefault)
	assert.Contains(t, notes, "  curl -s localhost:5021/api/v1/agents ")
	_, notes = install(t, installDefault, set("api.tokenSecret=api", "api.tls=true", "tls.existingSecret=cert")...)
	assert.Contains(t, notes, "  TOKEN=$(kubectl -n default get secret api -o jsonpath='{.data.token}' | base64 -d)\n")
	assert.Contains(t, notes, `  curl -s -H "Authorization: Bearer $TOKEN" -k https://localhost:5021/api/v1/agents `)
}

func TestGuideCommands(t *testing.T) {
	m, notes := install(t, installDefault)
	assert.Contains(t, m.pods(), "avika-gateway")
	assert.Contains(t, notes, "Avika 0.1.0 is being installed as avika in default.")

	m, _ = install(t, installEnterprise)
	assert.EqualValues(t, 3, *get[*autoscalingv2.HorizontalPodAutoscaler](m, "avika-gateway").Spec.MinReplicas)

	m, notes = install(t, deployEnterprise)
	assert.Equal(t, "<secure-password>", string(get[*corev1.Secret](m, "avika-clickhouse").Data["password"]))
	assert.Equal(t, "<secure-password>", string(get[*corev1.Secret](m, "avika-postgresql").Data["password"]))
	assert.Contains(t, notes, "avika in avika-prod.")
}

// TestNotesPrintThePlan, with what is given and what the formulas say.
func TestNotesPrintThePlan(t *testing.T) {
	_, notes := install(t, installDefault, set("sizing.agents=100", "sizing.rps=100000")...)
	for _, line := range []string{
		"Plan for 100 agents, 100000 requests per second, 7 days (a fleet for the enterprise profile)",
		"gateway      6, 2 CPU and 512Mi each",
		"needs 6 of 512Mi: 17 agents each",
		"ClickHouse   8 CPU, 7Gi, 4536Gi of disk",
		"needs 7Gi, 4536Gi (648 GB a day)",
	} {
		assert.Contains(t, notes, line)
	}
	assert.NotContains(t, notes, "less than the plan")

	_, notes = install(t, installEnterprise, set("sizing.agents=300", "sizing.rps=100000", "clickhouse.resources.limits.memory=4Gi")...)
	for _, warning := range []string{
		"WARNING: 10 gateways are less than the plan's 16: raise gateway.autoscaling.maxReplicas.",
		"WARNING: clickhouse.resources.limits.memory 4Gi is less than the plan's 7Gi.",
		"WARNING: clickhouse.persistence.size 100Gi holds 4.0 hours at 100000 requests per second; 7 days need 4536Gi.",
		"WARNING: agents are not authenticated",
	} {
		assert.Contains(t, notes, warning)
	}
	_, notes = install(t, installDefault, set("psk.existingSecret=agents", "gateway.mode=statefulset")...)
	assert.NotContains(t, notes, "WARNING")
	assert.NotContains(t, notes, "AgentConnectionDrop")
	assert.Contains(t, notes, "rollout status sts/avika-gateway")
	_, notes = install(t, installDefault, set("monitoring.enabled=true")...)
	assert.Contains(t, notes, "NOTE: the alert AgentConnectionDrop fires below 90 agents")
}

// TestGatewayHPA: the guide's gateway-hpa.yaml is the autoscaler that the enterprise profile makes.
func TestGatewayHPA(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(harness.Root(t), "deploy", "helm", "gateway-hpa.yaml"))
	require.NoError(t, err)
	var alone autoscalingv2.HorizontalPodAutoscaler
	require.NoError(t, yaml.UnmarshalStrict(file, &alone))
	assert.Equal(t, "avika-gateway", alone.Name)
	assert.Equal(t, text(t, get[*autoscalingv2.HorizontalPodAutoscaler](render(t, profile("enterprise")...), "avika-gateway").Spec), text(t, alone.Spec))
}

// TestAgentsLoadBalancer finds the gateways' pods, and opens nothing but the agents' port.
func TestAgentsLoadBalancer(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(harness.Root(t), "deploy", "helm", "agents-loadbalancer.yaml"))
	require.NoError(t, err)
	var service corev1.Service
	require.NoError(t, yaml.UnmarshalStrict(file, &service))
	m := render(t)
	pods := get[*appsv1.Deployment](m, "avika-gateway").Spec.Template.Labels
	for label, value := range service.Spec.Selector {
		assert.Equal(t, value, pods[label], label)
	}
	require.Len(t, service.Spec.Ports, 1)
	var agents int32
	for _, p := range get[*corev1.Service](m, "avika-gateway").Spec.Ports {
		if p.Name == "agents" {
			agents = p.TargetPort.IntVal
		}
	}
	assert.Equal(t, agents, service.Spec.Ports[0].TargetPort.IntVal)
}

// TestGuideNamesExist: what the guide's kubectl commands name.
func TestGuideNamesExist(t *testing.T) {
	m := render(t)
	for _, object := range []string{"deploy/avika-gateway", "sts/avika-clickhouse"} {
		_, name, _ := strings.Cut(object, "/")
		assert.Contains(t, m.pods(), name)
	}
	assert.NotNil(t, statefulSet(m, "avika-clickhouse"))
	// clickhouse-client in the pod is the user default, whom nobody else can be.
	users := configMap(m, "avika-clickhouse-users").Data["pod.xml"]
	assert.Regexp(t, regexp.MustCompile(`<default><networks replace="1"><ip>::1</ip><ip>127.0.0.1</ip></networks></default>`), users)
}
