//go:build cluster

package helm

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/localstack"
	"github.com/avika-ai/avika-collector/tests/harness"
)

// cluster is a real Kubernetes API server with nothing behind it: objects are admitted, defaulted and stored, and no pod runs.
type cluster struct{ t *testing.T }

func startCluster(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	ports := harness.Ports(t, 3)
	etcd, peers, api := address("http", ports[0]), address("http", ports[1]), address("https", ports[2])
	run(t, dir, "etcd", "--data-dir=etcd", "--unsafe-no-fsync", "--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers)
	key := filepath.Join(dir, "sa.key")
	require.NoError(t, os.WriteFile(key, privateKey(t), 0o600))
	tokens := filepath.Join(dir, "tokens.csv")
	require.NoError(t, os.WriteFile(tokens, []byte("secret,admin,admin,system:masters\n"), 0o600))
	run(t, dir, "kube-apiserver", "--etcd-servers="+etcd, "--cert-dir=certs", "--bind-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", ports[2]), "--token-auth-file="+tokens, "--authorization-mode=RBAC",
		"--service-account-issuer=https://test", "--service-account-key-file="+key, "--service-account-signing-key-file="+key,
		"--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount")
	config := filepath.Join(dir, "kubeconfig")
	require.NoError(t, os.WriteFile(config, []byte(fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c",
		"clusters":[{"name":"c","cluster":{"server":%q,"insecure-skip-tls-verify":true}}],
		"users":[{"name":"u","user":{"token":"secret"}}],"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}]}`, api)), 0o600))
	t.Setenv("KUBECONFIG", config)
	ready(t, api)
}

func address(scheme string, port int) string { return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port) }

// run starts a program of bin/kubernetes that lives as long as the test.
func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	log := filepath.Join(dir, name+".log")
	p, err := localstack.StartProcess(localstack.Spec{
		Name: name, Args: append([]string{harness.Binary(t, filepath.Join("kubernetes", name))}, args...), LogFile: log, Dir: dir,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of %s's log:\n%s", name, localstack.Tail(log, 20))
		}
		_ = p.Stop(30 * time.Second)
	})
}

func ready(t *testing.T, api string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // its certificate is made at start
	require.Eventually(t, func() bool {
		resp, err := client.Get(api + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, 2*time.Minute, 100*time.Millisecond, "the API server is not ready")
}

// kubectl runs a command and returns its standard output and its warnings.
func (c cluster) kubectl(stdin string, args ...string) (string, string) {
	c.t.Helper()
	var out, warnings bytes.Buffer
	cmd := exec.CommandContext(c.t.Context(), harness.Binary(c.t, "kubernetes/kubectl"), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &warnings
	require.NoError(c.t, cmd.Run(), "kubectl %s: %s", strings.Join(args, " "), &warnings)
	return out.String(), warnings.String()
}

func (c cluster) helm(command string, more ...string) string {
	c.t.Helper()
	out, err := helm(c.t, append(commandLine(command), more...)...)
	require.NoError(c.t, err)
	return out
}

func (c cluster) replicas(deployment string) string {
	out, _ := c.kubectl("", "get", "deployment", deployment, "-o", "jsonpath={.spec.replicas}")
	return out
}

func (c cluster) password(namespace, secret string) string {
	out, _ := c.kubectl("", "get", "secret", secret, "-n", namespace, "-o", "jsonpath={.data.password}")
	password, err := base64.StdEncoding.DecodeString(out)
	require.NoError(c.t, err)
	return string(password)
}

// TestCluster runs the guide's commands on a real API server.
func TestCluster(t *testing.T) {
	startCluster(t)
	t.Run("every installation is admitted", func(t *testing.T) { cluster{t}.admitsAll() })
	t.Run("helm install, kubectl scale, patch and apply", func(t *testing.T) { cluster{t}.guide() })
	t.Run("generated passwords stay", func(t *testing.T) { cluster{t}.passwords() })
	t.Run("the enterprise profile in its namespace", func(t *testing.T) { cluster{t}.enterprise() })
}

// admitsAll: the server knows every field, and the pods fit its strictest security standard.
func (c cluster) admitsAll() {
	c.kubectl("", "create", "namespace", "avika-prod")
	c.kubectl("", "label", "namespace", "avika-prod", "pod-security.kubernetes.io/warn=restricted", "pod-security.kubernetes.io/enforce=restricted")
	for name, args := range installations() {
		text, err := template(c.t, args...)
		require.NoError(c.t, err)
		_, warnings := c.kubectl(text, "apply", "-n", "avika-prod", "--dry-run=server", "--validate=strict", "-f", "-")
		assert.Empty(c.t, warnings, name)
	}
}

func (c cluster) guide() {
	notes := c.helm(installDefault)
	assert.Contains(c.t, notes, "STATUS: deployed")
	assert.Contains(c.t, notes, "being installed as avika in default")
	assert.Equal(c.t, "1", c.replicas("avika-gateway"))
	c.kubectl("", "scale", "deployment", "avika-gateway", "--replicas=5")
	assert.Equal(c.t, "5", c.replicas("avika-gateway"))
	// What docs/sizing.md warns of: without a number a Deployment has one replica.
	c.kubectl("", "patch", "deployment", "avika-gateway", "-p", `{"spec":{"replicas":null}}`)
	assert.Equal(c.t, "1", c.replicas("avika-gateway"))
	c.kubectl("", "apply", "-f", filepath.Join(harness.Root(c.t), "deploy", "helm", "gateway-hpa.yaml"))
	out, _ := c.kubectl("", "get", "hpa", "avika-gateway", "-o", "jsonpath={.spec.scaleTargetRef.name} {.spec.minReplicas} {.spec.maxReplicas}")
	assert.Equal(c.t, "avika-gateway 3 10", out)
	c.kubectl("", "delete", "hpa", "avika-gateway")
}

// passwords: an upgrade keeps what was generated, and so does a new installation on the old disks.
func (c cluster) passwords() {
	of := func() []string {
		return []string{c.password("default", "avika-clickhouse"), c.password("default", "avika-postgresql")}
	}
	first := of()
	assert.Len(c.t, first[0], 32)
	c.helm("helm upgrade avika ./deploy/helm/avika", set("sizing.agents=40", "gateway.mode=statefulset")...)
	assert.Equal(c.t, first, of(), "after an upgrade")
	c.helm("helm uninstall avika")
	assert.Equal(c.t, first, of(), "after an uninstallation")
	c.helm(installDefault)
	assert.Equal(c.t, first, of(), "after another installation")
	c.helm("helm upgrade avika ./deploy/helm/avika", set("clickhouse.password=given")...)
	assert.Equal(c.t, "given", c.password("default", "avika-clickhouse"), "a given one wins")
}

func (c cluster) enterprise() {
	notes := c.helm(deployEnterprise)
	assert.Contains(c.t, notes, "gateway      3 to 10, 2 CPU and 2Gi each")
	assert.Equal(c.t, "<secure-password>", c.password("avika-prod", "avika-postgresql"))
	out, _ := c.kubectl("", "get", "hpa,deploy,sts", "-n", "avika-prod", "-o", "name")
	assert.ElementsMatch(c.t, []string{
		"horizontalpodautoscaler.autoscaling/avika-gateway", "deployment.apps/avika-gateway",
		"statefulset.apps/avika-clickhouse", "statefulset.apps/avika-postgresql",
	}, strings.Fields(out))
}
