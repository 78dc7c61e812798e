package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// copyOfMachine sees this machine's files, and keeps what is written in memory.
const copyOfMachine = `mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt
mount --bind /dev /mnt/dev
mkdir -p /mnt/run /mnt/packages
mount --bind "$1" /mnt/packages`

// buildPackage runs nfpm as `make packages` does, on the program that is built already.
func buildPackage(t *testing.T, kind, version string) (folder, file string) {
	t.Helper()
	root := harness.Root(t)
	stage := t.TempDir()
	programs := filepath.Join(stage, "bin", "linux-"+runtime.GOARCH)
	require.NoError(t, os.MkdirAll(programs, 0o755))
	for _, name := range []string{"otelcol-avika", "avika-topics"} {
		copyFile(t, harness.Binary(t, name), filepath.Join(programs, name), 0o755)
	}
	require.NoError(t, os.Symlink(filepath.Join(root, "distributions"), filepath.Join(stage, "distributions")))
	folder = t.TempDir()
	cmd := exec.Command(nfpm(t, root), "package", "--config", "distributions/avika-gateway/package/nfpm.yaml", "--packager", kind, "--target", folder)
	cmd.Dir = stage
	cmd.Env = append(os.Environ(), "ARCH="+runtime.GOARCH, "VERSION="+version, "SOURCE_DATE_EPOCH=1790000000")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	files, err := filepath.Glob(filepath.Join(folder, "*."+kind))
	require.NoError(t, err)
	require.Len(t, files, 1)
	return folder, filepath.Base(files[0])
}

// nfpm builds the pinned tool and returns its path.
func nfpm(t *testing.T, root string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nfpm")
	cmd := exec.Command("go", "build", "-modfile=internal/tools/go.mod", "-o", path, "github.com/goreleaser/nfpm/v2/cmd/nfpm")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

func copyFile(t *testing.T, from, to string, mode os.FileMode) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, mode))
	require.NoError(t, os.Chmod(to, mode))
}

// packager is how a kind of package is handled, with the file in $FILE.
type packager struct{ kind, install, again, remove, purge string }

// TestPackages: each kind installs, runs as its own user with what systemd would run, keeps what an administrator changed when
// it is installed again, and is gone when it is removed.
func TestPackages(t *testing.T) {
	for _, p := range []packager{
		{"deb", "dpkg -i $FILE", "dpkg -i $FILE", "dpkg -r otelcol-avika", "dpkg -P otelcol-avika"},
		// The database is that of the packages that rpm itself installed, which on a Debian are none: nothing can depend on them.
		{"rpm", "rpm -i --nodeps $FILE", "rpm -U --nodeps --replacepkgs $FILE", "rpm -e --nodeps otelcol-avika", ""},
	} {
		t.Run(p.kind, func(t *testing.T) {
			folder, file := buildPackage(t, p.kind, "0.1.0")
			s := newSandbox(t, copyOfMachine, folder)
			do := func(script string) string {
				return s.run(t, "FILE=/packages/"+file+"\n"+script)
			}
			do(p.install)
			requireInstalled(t, s)
			g := requireStarts(t, s)
			g.Stop()

			do("echo '# mine' >>/etc/otelcol-avika/gateway.yaml; touch /var/lib/otelcol-avika/mine")
			do(p.again)
			assert.Equal(t, "# mine", do("tail -n1 /etc/otelcol-avika/gateway.yaml"))
			assert.Contains(t, do("cat /etc/otelcol-avika/otelcol-avika.env"), "CLICKHOUSE_ENDPOINT=127.0.0.1:")

			do(p.remove)
			do("! test -e /usr/bin/otelcol-avika && ! test -e /usr/lib/systemd/system/otelcol-avika.service")
			do("test -e /var/lib/otelcol-avika/mine") // removing a program does not remove data
			if p.purge != "" {
				do(p.purge)
				do("! test -e /var/lib/otelcol-avika && ! test -e /etc/otelcol-avika")
			}
		})
	}
}

func requireInstalled(t *testing.T, s *sandbox) {
	t.Helper()
	assert.Equal(t, "otelcol-avika:/var/lib/otelcol-avika:/usr/sbin/nologin", s.run(t, "getent passwd otelcol-avika | cut -d: -f1,6,7"))
	for path, want := range map[string]string{
		"/usr/bin/otelcol-avika":               "root root 755",
		"/etc/otelcol-avika/gateway.yaml":      "root root 644",
		"/etc/otelcol-avika/quickstart.yaml":   "root root 644",
		"/etc/otelcol-avika/otelcol-avika.env": "root root 600",
		"/var/lib/otelcol-avika":               "otelcol-avika otelcol-avika 750",
	} {
		assert.Equal(t, want, s.run(t, "stat -c '%U %G %a' "+path), path)
	}
	unit := "/usr/lib/systemd/system/otelcol-avika.service"
	assert.Empty(t, s.run(t, "systemd-analyze verify "+unit), "systemd has something to say about the unit")
	// 20 of 100, where 0 is a service that may do nothing.
	s.run(t, "systemd-analyze security --offline=yes --threshold=20 "+unit)
}

// service is the unit's ExecStart with its EnvironmentFile, as systemd reads both; quoting is the shell's in these files.
const service = `set -a; . /etc/otelcol-avika/otelcol-avika.env; set +a
start=$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/otelcol-avika.service)
exec setpriv --reuid=otelcol-avika --regid=otelcol-avika --clear-groups --no-new-privs --bounding-set=-all $(eval echo "$start")`

func requireStarts(t *testing.T, s *sandbox) *harness.Gateway {
	t.Helper()
	ch := harness.StartClickHouse(t)
	s.run(t, "sed -i 's/^CLICKHOUSE_ENDPOINT=.*/CLICKHOUSE_ENDPOINT="+ch.Addr()+"/' /etc/otelcol-avika/otelcol-avika.env")
	g := harness.StartGateway(t, harness.GatewayOptions{Command: s.command(nil, "sh", "-ec", service)})
	harness.RunFleet(t, g.AgentAddr(), "--agents", "2", "--rate", "100", "--total", "200")
	require.Eventually(t, func() bool {
		return ch.Uint(quiet{}, "SELECT uniqExact(request_id) FROM nginx_analytics.access_logs") == 200
	}, harness.WaitFor, harness.Tick)
	user := s.run(t, "id -u otelcol-avika")
	assert.Equal(t, user, s.run(t, "stat -c %u $(find /var/lib/otelcol-avika -type f | head -n1)"), "it writes its state as its user")
	assert.Contains(t, strings.Fields(s.run(t, "grep Uid /proc/"+pid(g)+"/status")), user)
	return g
}
