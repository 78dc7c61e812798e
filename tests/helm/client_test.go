package helm

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/avika-ai/avika-collector/tests/harness"
)

// client sends log records one by one over OTLP/HTTP, each until it is acknowledged.
type client struct {
	url          string
	done         chan struct{}
	running      sync.WaitGroup
	acknowledged int
}

func startClient(t *testing.T, addr string) *client {
	t.Helper()
	c := &client{url: "http://" + addr + "/v1/logs", done: make(chan struct{})}
	c.running.Go(c.run)
	t.Cleanup(func() { c.stop() })
	return c
}

// stop ends the sending and returns how many records were acknowledged.
func (c *client) stop() int {
	select {
	case <-c.done:
	default:
		close(c.done)
	}
	c.running.Wait()
	return c.acknowledged
}

func (c *client) run() {
	for {
		select {
		case <-c.done:
			return
		default:
		}
		for !c.send(fmt.Sprintf("record-%d", c.acknowledged)) {
			time.Sleep(10 * time.Millisecond)
		}
		c.acknowledged++
		time.Sleep(time.Millisecond)
	}
}

// impatient gives up on a connection whose other end is gone, as OTLP's clients do.
var impatient = &http.Client{Timeout: 5 * time.Second}

func (c *client) send(id string) bool {
	record := fmt.Sprintf(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d","body":{"stringValue":%q}}]}]}]}`, time.Now().UnixNano(), id)
	resp, err := impatient.Post(c.url, "application/json", strings.NewReader(record))
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, resp.Body) // a connection whose answer was read is used again
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// otlpAddr is host:port of a gateway's OTLP/HTTP.
func otlpAddr(g *harness.Gateway) string { return strings.TrimPrefix(g.OTLPHTTPURL(""), "http://") }
