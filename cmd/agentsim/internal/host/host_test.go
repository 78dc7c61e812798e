package host

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const page = "Active connections: 3 \nserver accepts handled requests\n 10 11 12 \nReading: 4 Writing: 5 Waiting: 6 \n"

func TestParseStatus(t *testing.T) {
	if c, err := parseStatus(page); err != nil || c != (Connections{3, 10, 11, 12, 4, 5, 6}) {
		t.Errorf("%+v, %v", c, err)
	}
	for _, wrong := range []string{"", "<html>404</html>", strings.Replace(page, "10", "99999999999999999999", 1)} {
		if _, err := parseStatus(wrong); err == nil {
			t.Errorf("%q: no error", wrong)
		}
	}
}

// TestStatusErrors needs answers that a healthy NGINX does not give.
func TestStatusErrors(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Server", "nginx/1.28.0 (Ubuntu)")
		w.WriteHeader(http.StatusForbidden)
	}))
	defer s.Close()
	for _, url := range []string{s.URL, "http://127.0.0.1:1/", "::"} {
		n := Nginx{StubStatus: url}
		if _, _, err := n.Status(t.Context()); err == nil {
			t.Errorf("%s: no error", url)
		}
	}
}

func TestVersionIn(t *testing.T) {
	for text, want := range map[string]string{
		"nginx/1.28.0": "1.28.0", "nginx version: nginx/1.22.1 (Debian)\n": "1.22.1", "nginx": "", "Apache/2": "",
	} {
		if got := versionIn(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestSystem(t *testing.T) {
	var s System
	first, err := s.Sample(t.Context(), time.Now())
	if err != nil || first.CpuUsagePercent != 0 || first.NetworkRxRate != 0 {
		t.Errorf("%v, %v", first, err)
	}
	time.Sleep(100 * time.Millisecond)
	m, err := s.Sample(t.Context(), time.Now())
	if err != nil || m.MemoryTotalBytes < m.MemoryUsedBytes || m.MemoryTotalBytes == 0 {
		t.Errorf("%v, %v", m, err)
	}
	for _, v := range []float32{m.CpuUsagePercent, m.CpuUserPercent, m.CpuSystemPercent, m.CpuIowaitPercent, m.MemoryUsagePercent} {
		if v < 0 || v > 100 {
			t.Errorf("%v percent in %v", v, m)
		}
	}
}

func TestAddress(t *testing.T) {
	if a := Address("127.0.0.1:5020"); a != "127.0.0.1" {
		t.Error(a)
	}
	if a := Address("nonsense"); a != "127.0.0.1" {
		t.Error(a)
	}
}

func TestConfigState(t *testing.T) {
	dir := t.TempDir()
	put := func(path, text string) {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("nginx.conf", "events {}")
	put("conf.d/shop.conf", "server {}")
	put("mime.types", "types {}")
	put("tls/key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	put("html/maintenance.html", "later")
	if err := os.Symlink("absent", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	before, err := ConfigState(dir, time.Unix(5, 0))
	if err != nil {
		t.Fatal(err)
	}
	h := before.ConfigHashes
	if len(h.MainConfHash) != 64 || len(h.SiteConfigs) != 1 || len(h.IncludeFiles) != 1 || len(h.Certificates) != 0 ||
		len(h.MaintenancePageHash) != 64 || h.ComputedAt != 5 || h.SiteConfigs[0].Size != 9 {
		t.Errorf("hashes %v", h)
	}
	put("conf.d/shop.conf", "server { }")
	after, err := ConfigState(dir, time.Unix(6, 0))
	if err != nil || after.ConfigHash == before.ConfigHash || after.ConfigHashes.MainConfHash != h.MainConfHash {
		t.Errorf("after a change %v, %v", after, err)
	}
	if _, err := ConfigState(filepath.Join(dir, "absent"), time.Now()); err == nil {
		t.Error("no error for an absent folder")
	}
}
