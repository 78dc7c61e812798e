package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/fleet"
	"github.com/avika-ai/avika-collector/cmd/agentsim/internal/gatewaytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestWrongOptionsSayWhatToDo(t *testing.T) {
	t.Setenv("AVIKA_PSK", "")
	for want, args := range map[string][]string{
		"--tail FILE":             {},
		"needs --tail":            {"--agents", "1", "--state-dir", "x"},
		"does not go with":        {"--tail", "x", "--rate", "1"},
		"host:port":               {"--agents", "1", "--gateway", "localhost"},
		"64 hex digits":           {"--agents", "1", "--psk", "secret"},
		"--psk-file":              {"--agents", "1", "--psk-file", "/absent"},
		"key=value":               {"--agents", "1", "--labels", "a"},
		"or max":                  {"--rate", "fast"},
		"8 hex digits":            {"--agents", "1", "--run-id", "xyz"},
		"json, combined":          {"--agents", "1", "--log-format", "xml"},
		"grpc or wire":            {"--agents", "1", "--transport", "udp"},
		"unexpected argument":     {"--agents", "1", "status"},
		"not defined":             {"--agent", "1"},
		"read TLS CA":             {"--agents", "1", "--tls-ca", "/absent"},
		"agents 0":                {"--agents", "0"},
		"its certificate and its": {"--agents", "1", "--tls-cert", "x"},
	} {
		if code, _, stderr := run(t, args...); code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%q: code %d, %q does not say %q", args, code, stderr, want)
		}
	}
}

func TestHelpNamesEveryOption(t *testing.T) {
	code, text, _ := run(t, "--help")
	if code != exitOK {
		t.Errorf("code %d", code)
	}
	source, err := os.ReadFile("options.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`fs\.\w+Var\(&[\w.]+, "([\w-]+)"`).FindAllSubmatch(source, -1)
	if len(names) < 30 {
		t.Fatalf("found only %d options", len(names))
	}
	for _, n := range names {
		if !strings.Contains(text, "--"+string(n[1])+" ") && !strings.Contains(text, "--"+string(n[1])+"\n") {
			t.Errorf("--help does not mention --%s", n[1])
		}
	}
}

func TestFleetPrintsJSON(t *testing.T) {
	g := new(gatewaytest.Gateway).Start(t, "", nil)
	code, stdout, stderr := run(t, "--gateway", g.Addr, "--agents", "2", "--rate", "1000", "--total", "500", "--json",
		"--run-id", "beef", "--labels", "team=a", "--log-format", "combined")
	var r fleet.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitOK {
		t.Fatalf("code %d, %v: %s %s", code, err, stdout, stderr)
	}
	if r.LogEntries != 500 || r.RunID != "0000beef" || r.Agents != 2 || r.Confirmed != 2 {
		t.Errorf("report %+v", r)
	}
	n := 0
	for _, m := range g.Messages() {
		if strings.Contains(m.GetLogEntry().GetRequestUri(), "rid=0000beef") {
			n++
		}
	}
	if n != 500 {
		t.Errorf("%d entries with the run's id", n)
	}
}

func TestRefusalIsExplained(t *testing.T) {
	refuse := func(metadata.MD) error { return status.Error(codes.Unauthenticated, "wrong signature") }
	g := (&gatewaytest.Gateway{Refuse: refuse}).Start(t, "", nil)
	_, _, stderr := run(t, "--gateway", g.Addr, "--agents", "1", "--duration", "1500ms", "--drain", "0s")
	if !strings.Contains(stderr, "wrong signature") || !strings.Contains(stderr, "check --psk") {
		t.Errorf("standard error: %s", stderr)
	}
}

func TestNothingListens(t *testing.T) {
	code, _, stderr := run(t, "--gateway", "127.0.0.1:1", "--rate", "1", "--duration", "1200ms", "--drain", "0s")
	if code != exitFailed || !strings.Contains(stderr, "make run") || !strings.Contains(stderr, "no agent could connect") {
		t.Errorf("code %d, standard error: %s", code, stderr)
	}
}

func TestTail(t *testing.T) {
	g := new(gatewaytest.Gateway).Start(t, "", nil)
	log := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(log, []byte("{\"status\":200}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	code, stdout, stderr := run(t, "--gateway", g.Addr, "--tail", log, "--from-start", "--duration", "1500ms", "--hostname", "h")
	if code != exitOK || !strings.Contains(stdout, "sent 1 access") || !strings.Contains(stdout, "h-127-0-0-1") {
		t.Errorf("code %d: %s %s", code, stdout, stderr)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}
