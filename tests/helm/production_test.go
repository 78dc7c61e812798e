package helm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// TestPodsHaveNoRights: nobody is root, writes to the image, gains rights or talks to Kubernetes; everybody has limits.
func TestPodsHaveNoRights(t *testing.T) {
	for name, pod := range render(t, profile("enterprise", "queued")...).pods() {
		t.Run(name, func(t *testing.T) {
			require.NotNil(t, pod.SecurityContext)
			assert.True(t, *pod.SecurityContext.RunAsNonRoot)
			assert.NotZero(t, *pod.SecurityContext.RunAsUser)
			assert.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SecurityContext.SeccompProfile.Type)
			assert.False(t, *pod.AutomountServiceAccountToken)
			for _, container := range pod.Containers {
				assert.True(t, *container.SecurityContext.ReadOnlyRootFilesystem)
				assert.False(t, *container.SecurityContext.AllowPrivilegeEscalation)
				assert.Equal(t, []corev1.Capability{"ALL"}, container.SecurityContext.Capabilities.Drop)
				assert.False(t, container.Resources.Limits.Memory().IsZero())
				assert.False(t, container.Resources.Requests.Cpu().IsZero())
			}
		})
	}
}

func TestServersHaveProbes(t *testing.T) {
	m := render(t, profile("queued")...)
	for _, name := range []string{"avika-gateway", "avika-writer", "avika-clickhouse", "avika-postgresql", "avika-redpanda"} {
		container := m.pods()[name].Containers[0]
		assert.NotNil(t, container.StartupProbe, name)
		assert.NotNil(t, container.LivenessProbe, name)
		assert.NotNil(t, container.ReadinessProbe, name)
	}
	ready := m.pods()["avika-gateway"].Containers[0].ReadinessProbe.HTTPGet
	assert.Equal(t, "5021/ready", ready.Port.String()+ready.Path)
	// The official chart's probes cannot speak TLS, and port 13133 has none.
	withTLS := render(t, installations()["keys, TLS, token"]...).pods()["avika-gateway"].Containers[0].ReadinessProbe.HTTPGet
	assert.Equal(t, "13133/", withTLS.Port.String()+withTLS.Path)
}

func TestOnlyUsedPortsAreOpen(t *testing.T) {
	m := render(t, profile("queued")...)
	ports := map[string][]string{}
	for _, name := range []string{"avika-gateway", "avika-writer"} {
		for _, p := range get[*corev1.Service](m, name).Spec.Ports {
			ports[name] = append(ports[name], p.Name)
		}
	}
	assert.ElementsMatch(t, []string{"agents", "api", "metrics", "otlp", "otlp-http"}, ports["avika-gateway"])
	assert.Equal(t, []string{"metrics"}, ports["avika-writer"])
}

// TestStopsHaveTheTimeTheyNeed: what the configuration may take to hand on what it holds is less than Kubernetes waits.
func TestStopsHaveTheTimeTheyNeed(t *testing.T) {
	for name, args := range map[string][]string{"deployment": {}, "statefulset": set("gateway.mode=statefulset")} {
		m := render(t, args...)
		pod := m.pods()["avika-gateway"]
		drain, err := time.ParseDuration(at(t, m.config("avika-gateway"), "exporters", "ch_batch", "drain_timeout").(string))
		require.NoError(t, err)
		const receiver = 10 * time.Second // its default shutdown_timeout
		sleep := time.Duration(pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds) * time.Second
		assert.Positive(t, sleep, "load balancers must hear of it first")
		assert.Greater(t, time.Duration(*pod.TerminationGracePeriodSeconds)*time.Second, sleep+receiver+drain+5*time.Second, name)
	}
}

func TestRolloutsStartBeforeTheyStop(t *testing.T) {
	m := render(t, profile("medium")...)
	rolling := get[*appsv1.Deployment](m, "avika-gateway").Spec.Strategy.RollingUpdate
	assert.Equal(t, "1 0", rolling.MaxSurge.String()+" "+rolling.MaxUnavailable.String())
	budget := get[*policyv1.PodDisruptionBudget](m, "avika-gateway").Spec
	assert.Equal(t, "1", budget.MaxUnavailable.String())
	spread := m.pods()["avika-gateway"].TopologySpreadConstraints
	require.Len(t, spread, 2)
	selected := get[*appsv1.Deployment](m, "avika-gateway").Spec.Template.Labels
	for key, value := range spread[0].LabelSelector.MatchLabels {
		assert.Equal(t, value, selected[key])
	}
}

// TestNetworkPoliciesLetClientsIn, and nobody else: labels and ports fit the pods.
func TestNetworkPoliciesLetClientsIn(t *testing.T) {
	m := render(t, profile("queued")...)
	for server, clients := range map[string][]string{
		"avika-clickhouse": {"avika-gateway", "avika-writer"}, "avika-postgresql": {"avika-gateway"},
		"avika-redpanda": {"avika-gateway", "avika-writer"},
	} {
		policy := get[*networkingv1.NetworkPolicy](m, server).Spec
		assert.Equal(t, statefulSet(m, server).Spec.Selector.MatchLabels, policy.PodSelector.MatchLabels)
		for _, client := range clients {
			labels := get[*appsv1.Deployment](m, client).Spec.Template.Labels
			assert.Equal(t, "true", labels[server+"-client"], "%s to %s", client, server)
		}
		var admitted []string
		for _, rule := range policy.Ingress {
			for _, from := range rule.From {
				for label := range from.PodSelector.MatchLabels {
					admitted = append(admitted, label)
				}
			}
		}
		assert.Contains(t, admitted, server+"-client")
	}
	assert.NotNil(t, find[*networkingv1.NetworkPolicy](m, "avika-gateway"))
}

func TestMonitoring(t *testing.T) {
	plain := render(t)
	assert.Nil(t, find[*serviceMonitor](plain, "avika-gateway"))
	m := render(t, append(profile("queued"), set("monitoring.enabled=true", "monitoring.labels.release=kps")...)...)
	for _, name := range []string{"avika-gateway", "avika-writer", "avika-clickhouse"} {
		monitor := get[*serviceMonitor](m, name)
		assert.Equal(t, "kps", monitor.Labels["release"], name)
		assert.Equal(t, "metrics", monitor.Spec.Endpoints[0].Port)
	}
	rules := get[*prometheusRule](m, "avika-gateway")
	assert.Equal(t, "kps", rules.Labels["release"])
	var alerts []string
	for _, group := range rules.Spec.Groups {
		for _, rule := range group.Rules {
			alerts = append(alerts, rule.Alert)
		}
	}
	for _, guide := range []string{"GatewayHighMemory", "ClickHouseInsertLag", "AgentConnectionDrop"} {
		assert.Contains(t, alerts, guide)
	}
}

// TestAlertsAreOfThisInstallation: jobs are its services, and thresholds those of its fleet.
func TestAlertsAreOfThisInstallation(t *testing.T) {
	expressions := func(args ...string) string {
		rules := get[*prometheusRule](render(t, append(set("monitoring.enabled=true", "sizing.agents=300", "sizing.rps=20000"), args...)...), "avika-gateway")
		var all []string
		for _, group := range rules.Spec.Groups {
			for _, rule := range group.Rules {
				all = append(all, fmt.Sprint(rule.Expr), rule.Annotations["summary"])
			}
		}
		return strings.Join(all, "\n")
	}
	plain := expressions()
	for _, want := range []string{
		`up{job="avika-gateway"} == 0`, `up{job="avika-clickhouse"} == 0`, `agents_total{status="online"}) < 270`, "fewer than 270",
		"InsertedRows[1m])) < 10000", "[1m])) > 10000", "fewer than 10000",
	} {
		assert.Contains(t, plain, want)
	}
	assert.Contains(t, expressions(set("sizing.agents=1")...), `agents_total{status="online"}) < 1`, "one agent that is away is noticed")
	assert.Contains(t, expressions(profile("queued")...), `up{job=~"avika-gateway|avika-writer"} == 0`, "writers are gateways, too")
	assert.Contains(t, expressions(installations()["managed servers"]...), `up{job="clickhouse"} == 0`, "its scraping is somebody else's")
}

func TestSecrets(t *testing.T) {
	m := render(t, set("clickhouse.password=of-clickhouse", "postgresql.auth.password=of-postgresql")...)
	assert.Equal(t, "of-clickhouse", m.env("avika-gateway")["CLICKHOUSE_PASSWORD"])
	assert.Equal(t, "of-clickhouse", m.env("avika-clickhouse")["AVIKA_CLICKHOUSE_PASSWORD"])
	assert.Equal(t, "of-postgresql", m.env("avika-gateway")["PGPASSWORD"])
	assert.Equal(t, "of-postgresql", m.env("avika-postgresql")["POSTGRES_PASSWORD"])
	assert.NotContains(t, m.relay("avika-gateway"), "of-", "passwords are in Secrets alone")
	assert.Equal(t, "keep", get[*corev1.Secret](m, "avika-postgresql").Annotations["helm.sh/resource-policy"])

	generated, again := render(t), render(t)
	password := generated.env("avika-clickhouse")["AVIKA_CLICKHOUSE_PASSWORD"]
	assert.Len(t, password, 32)
	assert.NotEqual(t, password, again.env("avika-clickhouse")["AVIKA_CLICKHOUSE_PASSWORD"])
	assert.NotEqual(t, password, generated.env("avika-clickhouse")["AVIKA_CLICKHOUSE_READER_PASSWORD"])

	existing := render(t, set("clickhouse.existingSecret=mine", "postgresql.auth.existingSecret=ours")...)
	assert.Nil(t, find[*corev1.Secret](existing, "avika-clickhouse"))
	assert.Equal(t, "SECRET mine/reader-password", existing.env("avika-clickhouse")["AVIKA_CLICKHOUSE_READER_PASSWORD"])
	assert.Equal(t, "SECRET ours/password", existing.env("avika-postgresql")["POSTGRES_PASSWORD"])

	managed := render(t, set("clickhouse.enabled=false", "clickhouse.endpoints={ch:9000}", "clickhouse.password=of-clickhouse",
		"postgresql.enabled=false", "postgresql.host=pg", "postgresql.auth.password=of-postgresql")...)
	assert.Equal(t, "of-clickhouse", managed.env("avika-gateway")["CLICKHOUSE_PASSWORD"])
	assert.Equal(t, "of-postgresql", managed.env("avika-gateway")["PGPASSWORD"])
}

// TestKafkaTLSIsNeverLeftOut: empty settings are TLS with the system's authorities.
func TestKafkaTLSIsNeverLeftOut(t *testing.T) {
	kafka := []string{"writer.enabled=true", "redpanda.brokers={kafka:9092}"}
	m := render(t, append(set(kafka...), "--set-json", "redpanda.tls={}")...)
	for _, pod := range []string{"avika-gateway", "avika-writer", "avika-topics"} {
		assert.Equal(t, "{}", m.env(pod)["KAFKA_TLS"], pod)
		assert.NotContains(t, render(t, set(kafka...)...).env(pod), "KAFKA_TLS", pod)
	}
}

// TestKafkaCertificatesAreWhereTheyAreLookedFor: in gateways, writers and the job that makes the topics.
func TestKafkaCertificatesAreWhereTheyAreLookedFor(t *testing.T) {
	m := render(t, set("writer.enabled=true", "redpanda.brokers={kafka:9092}", "redpanda.tlsSecret=kafka",
		"redpanda.tls.cert_file=/etc/avika/kafka/tls.crt", "redpanda.tls.key_file=/etc/avika/kafka/tls.key")...)
	for _, name := range []string{"avika-gateway", "avika-writer", "avika-topics"} {
		assert.JSONEq(t, `{"ca_file": "/etc/avika/kafka/ca.crt", "cert_file": "/etc/avika/kafka/tls.crt", "key_file": "/etc/avika/kafka/tls.key"}`,
			m.env(name)["KAFKA_TLS"], name)
		assert.Equal(t, "kafka", volumeAt(t, m.pods()[name], "/etc/avika/kafka").Secret.SecretName, name)
	}
}

// TestTopicsThatDifferAreReportedAtOnce: usage (2) and topics that only an administrator can change (3) end the job, whose log names them.
func TestTopicsThatDifferAreReportedAtOnce(t *testing.T) {
	job := get[*batchv1.Job](render(t, profile("queued")...), "avika-topics").Spec
	require.Equal(t, corev1.RestartPolicyNever, job.Template.Spec.RestartPolicy, "as such a policy needs")
	require.Len(t, job.PodFailurePolicy.Rules, 1)
	rule := job.PodFailurePolicy.Rules[0]
	assert.Equal(t, batchv1.PodFailurePolicyActionFailJob, rule.Action)
	assert.Equal(t, job.Template.Spec.Containers[0].Name, *rule.OnExitCodes.ContainerName)
	assert.Equal(t, "In [2 3]", fmt.Sprint(rule.OnExitCodes.Operator, " ", rule.OnExitCodes.Values))
}

// volumeAt is what a pod's only container has at a path.
func volumeAt(t *testing.T, pod *corev1.PodSpec, path string) corev1.Volume {
	t.Helper()
	for _, mount := range pod.Containers[0].VolumeMounts {
		for _, volume := range pod.Volumes {
			if mount.MountPath == path && mount.Name == volume.Name {
				return volume
			}
		}
	}
	require.Fail(t, "nothing is mounted", path)
	return corev1.Volume{}
}

// TestQueueIsOnTheClaimedDisk, and dead letters with it: whatever the gateway writes stays when its pod goes.
func TestQueueIsOnTheClaimedDisk(t *testing.T) {
	m := render(t, set("gateway.mode=statefulset", "queue.size=20Gi", "queue.storageClass=fast")...)
	gateway := statefulSet(m, "avika-gateway").Spec
	require.Len(t, gateway.VolumeClaimTemplates, 1)
	claim := gateway.VolumeClaimTemplates[0]
	assert.Equal(t, "20Gi", claim.Spec.Resources.Requests.Storage().String())
	assert.Equal(t, "fast", *claim.Spec.StorageClassName)
	pod := gateway.Template.Spec
	var disk string
	for _, mount := range pod.Containers[0].VolumeMounts {
		if mount.Name == claim.Name {
			disk = mount.MountPath
			assert.False(t, mount.ReadOnly)
		}
	}
	require.NotEmpty(t, disk, "the claimed disk is mounted")
	for _, volume := range pod.Volumes {
		assert.NotEqual(t, claim.Name, volume.Name, "a volume of the pod hides the claimed disk")
	}
	assert.NotContains(t, m.env("avika-gateway"), "AVIKA_STATE_DIR", "the configuration's default is the mounted folder")
	config := m.config("avika-gateway")
	storage := at(t, config, "exporters", "ch_batch", "sending_queue", "storage").(string)
	for _, folder := range []any{
		at(t, config, "extensions", storage, "directory"), at(t, config, "exporters", "ch_batch", "dead_letter", "directory"),
	} {
		assert.Regexp(t, `^\$\{env:AVIKA_STATE_DIR:-`+disk+`\}`, folder)
	}
	assert.Contains(t, at(t, config, "service", "extensions"), storage)
}

// TestDashboards are those of deploy/grafana, with what Grafana's sidecar looks for; nobody gets them unasked.
func TestDashboards(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(harness.Root(t), "deploy/grafana/dashboards/*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	with := render(t, append(set("monitoring.dashboards.enabled=true"), "--set-string", "monitoring.dashboards.labels.team=web")...)
	without := render(t, set()...)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		name := "avika-dashboard-" + strings.TrimPrefix(strings.TrimSuffix(filepath.Base(file), ".json"), "avika-")
		dashboard := configMap(with, name)
		assert.Equal(t, map[string]string{filepath.Base(file): string(content)}, dashboard.Data)
		assert.Equal(t, "1 web", dashboard.Labels["grafana_dashboard"]+" "+dashboard.Labels["team"])
		assert.Equal(t, "Avika", dashboard.Annotations["grafana_folder"])
		assert.Nil(t, find[*corev1.ConfigMap](without, name))
	}
}

// TestNewPasswordsMakeNewPods, because a process reads its environment once.
func TestNewPasswordsMakeNewPods(t *testing.T) {
	sum := func(password string) string {
		m := render(t, set("clickhouse.password="+password)...)
		return get[*appsv1.Deployment](m, "avika-gateway").Spec.Template.Annotations["checksum/passwords"] +
			statefulSet(m, "avika-clickhouse").Spec.Template.Annotations["checksum/password"]
	}
	assert.Equal(t, sum("one"), sum("one"))
	assert.NotEqual(t, sum("one"), sum("two"))
}

func TestRefusals(t *testing.T) {
	for args, want := range map[string]string{
		"clickhouse.confg.logBatchSize=1":             "additional properties 'confg' not allowed",
		"gateway.replicas=2":                          "replicas",
		"clickhouse.config.logBatchSize=0":            "logBatchSize",
		"gateway.mode=daemonset":                      "mode",
		"sizing.agents=-1":                            "agents",
		"sizing.compressionRatio=15":                  "compressionRatio",
		"clickhouse.enabled=false":                    "clickhouse.endpoints",
		"clickhouse.username=root":                    `knows the user avika, not "root"`,
		"postgresql.enabled=false":                    "postgresql.host",
		"postgresql.enabled=false,postgresql.host=pg": "postgresql.auth.existingSecret",
		"redpanda.enabled=true":                       "profiles/queued.yaml",
		"writer.enabled=true":                         "redpanda.brokers",
		"api.tls=true":                                "tls.existingSecret",
		"writer.enabled=true,redpanda.brokers={kafka:9092},redpanda.tls.ca_file=/ca.crt":                       "redpanda.tlsSecret",
		"gateway.resources.limits.cpu=two":                                                                     `resources.limits.cpu must be a number of CPUs, such as 2 or 500m, is "two"`,
		"clickhouse.resources.limits.memory=2GB":                                                               "memory",
		"gateway.autoscaling.minReplicas=5,gateway.autoscaling.maxReplicas=4,gateway.autoscaling.enabled=true": "maxReplicas must be at least minReplicas (5), is 4",
		"writer.enabled=true,redpanda.enabled=true,redpanda.resources.limits.cpu=500m":                         "whole number of CPUs",
	} {
		reason := refused(t, set(strings.Split(args, ",")...)...)
		assert.Contains(t, reason, want, args)
	}
	_, err := helm(t, "template", "avika", chart, "--kube-version", "1.29.0")
	assert.ErrorContains(t, err, "Kubernetes 1.30 or newer is needed")
}

// TestTheGuardStands: if Helm rendered the gateway before the plan, the installation would fail rather than be wrong.
func TestTheGuardStands(t *testing.T) {
	const order = "templates/plan/before/the/subcharts/plan.yaml"
	assert.Greater(t, strings.Count(order, "/"), strings.Count("charts/gateway/templates/deployment.yaml", "/"))
	reason := renderWithout(t, order)
	assert.Contains(t, reason, "renders templates in an order that the chart does not know")
}

func TestOtherReleaseNames(t *testing.T) {
	for release, gateway := range map[string]string{"edge": "edge-gateway", "my-gateway": "my-gateway"} {
		text, err := helm(t, "template", release, chart, "--kube-version", kubernetes)
		require.NoError(t, err)
		m := decode(t, text)
		env := m.env(gateway)
		assert.Equal(t, release+"-clickhouse:9000", env["CLICKHOUSE_ENDPOINT"])
		assert.NotNil(t, get[*corev1.Service](m, release+"-clickhouse"))
		assert.Contains(t, env["POSTGRES_DSN"], "@"+release+"-postgresql:5432/")
	}
}

// TestTopicsFitTheGateways: what gateways send in one piece is what the topics take; disks of the chart's own brokers hold what is not
// stored yet, and those of another Kafka are not ours to delete from.
func TestTopicsFitTheGateways(t *testing.T) {
	m := render(t, append(profile("queued"), set("redpanda.config.producerBatchSize=8388608", "redpanda.config.retention=6h")...)...)
	topics, gateway := m.env("avika-topics"), m.env("avika-gateway")
	assert.Equal(t, "8388608 8388608 8000000 6h", strings.Join([]string{
		topics["KAFKA_MAX_MESSAGE_BYTES"], gateway["KAFKA_MAX_MESSAGE_BYTES"], gateway["KAFKA_RECORD_BYTES"], topics["KAFKA_RETENTION"],
	}, " "))
	assert.Equal(t, "1000000", render(t, profile("queued")...).env("avika-gateway")["KAFKA_RECORD_BYTES"])
	assert.Equal(t, "true", m.env("avika-writer")["KAFKA_DELETE_READ"])
	for _, args := range [][]string{append(profile("queued"), "--set", "redpanda.config.deleteRead=false"), installations()["managed Kafka"]} {
		assert.Equal(t, "false", render(t, args...).env("avika-writer")["KAFKA_DELETE_READ"])
	}
	assert.Contains(t, refused(t, append(profile("queued"), "--set", "redpanda.config.retention=3 days")...), "retention")
}

func TestRedpandaTakesOddNumbersOfCopies(t *testing.T) {
	for given, want := range map[string]string{
		"redpanda.replicaCount=3,redpanda.config.replicationFactor=2":                              "3",
		"redpanda.replicaCount=1,redpanda.config.replicationFactor=2":                              "1",
		"redpanda.replicaCount=5,redpanda.config.replicationFactor=4":                              "5",
		"redpanda.replicaCount=4,redpanda.config.replicationFactor=4":                              "3",
		"redpanda.enabled=false,redpanda.brokers={kafka:9092},redpanda.config.replicationFactor=2": "2",
	} {
		m := render(t, append(profile("queued"), "--set", given)...)
		assert.Equal(t, want, m.env("avika-topics")["KAFKA_REPLICATION_FACTOR"], given)
	}
}
