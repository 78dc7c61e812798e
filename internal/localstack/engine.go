package localstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
)

// Environment variables that replace what would be searched.
const (
	envLibrary  = "AVIKA_CHDB_LIB"   // path of libchdb.so
	envLauncher = "AVIKA_LOCALSTACK" // path of the built cmd/localstack
)

// enginePackages are the npm packages that hold libchdb.so, by GOOS/GOARCH.
var enginePackages = map[string]string{
	"linux/amd64":  "@chdb/lib-linux-x64-gnu",
	"linux/arm64":  "@chdb/lib-linux-arm64-gnu",
	"darwin/arm64": "@chdb/lib-darwin-arm64",
	"darwin/amd64": "@chdb/lib-darwin-x64",
}

// EnginePackage is the npm package with ClickHouse's engine for this platform; empty when there is none.
func EnginePackage() string { return enginePackages[runtime.GOOS+"/"+runtime.GOARCH] }

// EngineLibrary finds libchdb.so: AVIKA_CHDB_LIB, else the repository's node_modules.
func EngineLibrary() (string, error) {
	if path := os.Getenv(envLibrary); path != "" {
		return path, nil
	}
	pkg := EnginePackage()
	if pkg == "" {
		return "", fmt.Errorf("no ClickHouse engine for %s/%s in npm: install clickhouse", runtime.GOOS, runtime.GOARCH)
	}
	root, err := RepositoryRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "node_modules", filepath.FromSlash(pkg), "libchdb.so")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("ClickHouse's engine is not installed (npm ci at the root of the repository): %w", err)
	}
	return path, nil
}

// clickHouseBinary finds a `clickhouse` on PATH.
func clickHouseBinary() (string, bool) {
	path, err := exec.LookPath("clickhouse")
	return path, err == nil
}

// HaveClickHouse tells whether StartClickHouse can work here, and why not.
func HaveClickHouse() error {
	if _, ok := clickHouseBinary(); ok {
		return nil
	}
	_, err := EngineLibrary()
	return err
}

// findLauncher returns the command line that holds the engine in a process of its own.
func findLauncher(ctx context.Context, given []string) ([]string, error) {
	if len(given) > 0 {
		return given, nil
	}
	if path := os.Getenv(envLauncher); path != "" {
		return []string{path, "clickhouse"}, nil
	}
	path, err := buildLauncher(ctx)
	return []string{path, "clickhouse"}, err
}

var building sync.Mutex

// buildLauncher compiles cmd/localstack into .local/bin. Several test processes may do so at once, so it is renamed into
// place.
func buildLauncher(ctx context.Context) (string, error) {
	building.Lock()
	defer building.Unlock()
	root, err := RepositoryRoot()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, ".local", "bin", "localstack")
	temp := path + "." + strconv.Itoa(os.Getpid())
	cmd := exec.CommandContext(ctx, "go", "build", "-o", temp, "./cmd/localstack")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build cmd/localstack: %w\n%s", err, out)
	}
	if err := os.Rename(temp, path); err != nil {
		return "", errors.Join(fmt.Errorf("build cmd/localstack: %w", err), os.Remove(temp))
	}
	return path, nil
}
