package packaging

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// loadProject reads a compose file as `docker compose` does, strictly, with the given profiles or those of its .env.
func loadProject(t *testing.T, file string, env []string, profiles ...string) *types.Project {
	t.Helper()
	path := filepath.Join(harness.Root(t), file)
	options, err := cli.NewProjectOptions([]string{path}, cli.WithWorkingDirectory(filepath.Dir(path)), cli.WithEnv(env), cli.WithEnvFiles(), cli.WithDotEnv,
		cli.WithDefaultProfiles(profiles...), cli.WithResolvedPaths(true))
	require.NoError(t, err)
	project, err := options.LoadProject(context.Background())
	require.NoError(t, err)
	return project
}

// TestCompose: each profile loads, is whole, and is restartable without losing what it keeps.
func TestCompose(t *testing.T) {
	common := []string{"agent", "clickhouse", "grafana", "nginx", "postgres", "prometheus", "traffic"}
	for profile, more := range map[string][]string{
		"":       {"gateway"}, // the one command, with the .env that is shipped
		"direct": {"gateway"},
		"queued": {"ingest", "redpanda", "topics", "writer"},
	} {
		t.Run("profile "+profile, func(t *testing.T) {
			var profiles []string
			if profile != "" {
				profiles = []string{profile}
			}
			project := loadProject(t, "deploy/compose/compose.yaml", nil, profiles...)
			assert.ElementsMatch(t, append(more, common...), project.ServiceNames())
			for _, service := range project.Services {
				requireService(t, project, service)
			}
		})
	}
}

// TestComposeAndChartRunTheSameServers: one version of each server is what is tried and what is written about.
func TestComposeAndChartRunTheSameServers(t *testing.T) {
	project := loadProject(t, "deploy/compose/compose.yaml", nil, "queued")
	for service, chart := range map[string]string{"clickhouse": "clickhouse", "postgres": "postgresql", "redpanda": "redpanda"} {
		var values struct {
			Image struct{ Repository, Tag string }
		}
		text := readFile(filepath.Join(harness.Root(t), "deploy/helm/avika/charts", chart, "values.yaml"))
		require.NoError(t, yaml.Unmarshal([]byte(text), &values))
		assert.Equal(t, values.Image.Repository+":"+values.Image.Tag, project.Services[service].Image)
	}
}

func TestComposeOfCluster(t *testing.T) {
	env := []string{"AVIKA_CLICKHOUSE_PASSWORD=a", "AVIKA_CLICKHOUSE_READER_PASSWORD=b", "AVIKA_CLUSTER_SECRET=c"}
	project := loadProject(t, "deploy/clickhouse/cluster/compose.yaml", env)
	assert.Len(t, project.Services, 7)
	for _, service := range project.Services {
		requireService(t, project, service)
		if strings.HasPrefix(service.Name, "clickhouse-") {
			shard := *service.Environment["SHARD"]
			assert.Equal(t, service.Name, *service.Environment["REPLICA"])
			assert.Equal(t, service.Name, service.Hostname)
			assert.Equal(t, []string{"clickhouse-shard-" + shard}, service.Networks["default"].Aliases)
			assert.True(t, strings.HasPrefix(service.Name, "clickhouse-"+shard))
		}
	}
}

func requireService(t *testing.T, project *types.Project, service types.ServiceConfig) {
	t.Helper()
	_, tag, _ := strings.Cut(service.Image, ":")
	assert.NotContains(t, []string{"", "latest"}, tag, "%s: the image has no version", service.Name)
	if service.Name != "topics" {
		assert.Equal(t, "unless-stopped", service.Restart, service.Name)
	}
	for _, volume := range service.Volumes {
		if volume.Type == types.VolumeTypeBind {
			_, err := os.Stat(volume.Source)
			assert.NoError(t, err, "%s mounts what is not there", service.Name)
			assert.True(t, volume.ReadOnly, "%s may write to %s", service.Name, volume.Source)
			continue
		}
		assert.Contains(t, project.Volumes, volume.Source, service.Name)
	}
	for name, dependency := range service.DependsOn {
		if dependency.Condition == types.ServiceConditionHealthy {
			other := project.Services[name]
			assert.True(t, other.HealthCheck != nil || strings.HasPrefix(other.Image, "ghcr.io/avika-ai/"), "%s waits for %s, which has no health check", service.Name, name)
		}
	}
	if service.Build != nil {
		_, err := os.Stat(filepath.Join(service.Build.Context, service.Build.Dockerfile))
		assert.NoError(t, err, service.Name)
	}
	if strings.HasPrefix(service.Image, "ghcr.io/avika-ai/otelcol-avika:") && len(service.Entrypoint) == 0 {
		requireValidConfiguration(t, service)
	}
}

// requireValidConfiguration asks the gateway whether it would start with the service's environment, every variable of which must be one
// that is documented.
func requireValidConfiguration(t *testing.T, service types.ServiceConfig) {
	t.Helper()
	documented := readFile(filepath.Join(harness.Root(t), "docs/configuration.md"))
	args := []string{"validate"}
	for _, arg := range service.Command {
		args = append(args, strings.Replace(arg, "/etc/otelcol-avika", filepath.Join(harness.Root(t), "distributions/avika-gateway/config"), 1))
	}
	cmd := exec.Command(harness.Binary(t, "otelcol-avika"), args...)
	for name, value := range service.Environment {
		assert.Contains(t, documented, "`"+name+"`", "%s: docs/configuration.md does not know the variable", service.Name)
		cmd.Env = append(cmd.Env, name+"="+*value)
	}
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, "%s: %s", service.Name, out)
}
