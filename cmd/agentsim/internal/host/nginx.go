// Package host measures the NGINX and the machine that an agent runs beside.
package host

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

// Connections is what stub_status says.
type Connections struct {
	Active, Accepted, Handled, Requests, Reading, Writing, Waiting int64
}

// Nginx asks one NGINX. Its methods may be called at the same time.
type Nginx struct {
	StubStatus string // URL; empty: unknown
	client     http.Client
}

var (
	numbers       = regexp.MustCompile(`\d+`)
	versionHeader = regexp.MustCompile(`nginx/([0-9][^\s)]*)`)
)

const maxStubStatus = 4096

// Status returns the connections, and the version of the Server header when NGINX sends it.
func (n *Nginx) Status(ctx context.Context) (Connections, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.StubStatus, nil)
	if err != nil {
		return Connections{}, "", fmt.Errorf("stub_status: %w", err)
	}
	res, err := n.client.Do(req)
	if err != nil {
		return Connections{}, "", fmt.Errorf("stub_status: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxStubStatus))
	if err != nil {
		return Connections{}, "", fmt.Errorf("read stub_status: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return Connections{}, "", fmt.Errorf("stub_status %s: %s; does the location hold `stub_status;`?", n.StubStatus, res.Status)
	}
	c, err := parseStatus(string(body))
	return c, versionIn(res.Header.Get("Server")), err
}

// parseStatus reads the seven numbers of stub_status, whose order is fixed.
func parseStatus(text string) (Connections, error) {
	found := numbers.FindAllString(text, -1)
	if len(found) != 7 {
		return Connections{}, fmt.Errorf("stub_status: %q has not the seven numbers of that page", text)
	}
	var v [7]int64
	for i, s := range found {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return Connections{}, fmt.Errorf("stub_status: %w", err)
		}
		v[i] = n
	}
	return Connections{v[0], v[1], v[2], v[3], v[4], v[5], v[6]}, nil
}

func versionIn(text string) string {
	if m := versionHeader.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// BinaryVersion asks the nginx on PATH; empty when there is none.
func BinaryVersion(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nginx", "-v").CombinedOutput()
	if err != nil {
		return ""
	}
	return versionIn(string(out))
}
