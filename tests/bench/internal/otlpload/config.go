// Package otlpload is an OTLP client that sends encoded log requests at a rate, and again until they are acknowledged.
package otlpload

import (
	"errors"
	"fmt"
	"time"
)

// Config of a load.
type Config struct {
	Addrs    []string      `json:"addrs"`    // gateways, host:port; after a failure a client tries the next one
	Rate     float64       `json:"rate"`     // rows a second of all clients together; 0: as fast as they are acknowledged
	Total    int64         `json:"total"`    // rows of all clients; 0: as many as fit into Duration
	Duration time.Duration `json:"duration"` // 0: until Total is sent
	Clients  int           `json:"clients"`  // requests under way at once; each client is a writer with its own row numbers
	Rows     int           `json:"rows"`     // per request
	Run      uint32        `json:"run"`      // first part of every id
	Event    string        `json:"event"`    // EventName of the records: nginx.access, or empty
	Timeout  time.Duration `json:"timeout"`  // of one attempt
	GiveUp   time.Duration `json:"give_up"`  // after the end, for what is not acknowledged yet
}

func (c *Config) validate() error {
	switch {
	case len(c.Addrs) == 0:
		return errors.New("no address to send to")
	case c.Clients < 1 || c.Rows < 1:
		return fmt.Errorf("clients %d, rows %d: want 1 or more", c.Clients, c.Rows)
	case c.Total <= 0 && c.Duration <= 0:
		return errors.New("neither a total nor a duration is given")
	}
	return nil
}

// share is how many rows client i sends at most; below 0: no bound.
func (c *Config) share(i int) int64 {
	total := c.Total
	if total == 0 {
		if c.Rate == 0 {
			return -1
		}
		total = int64(c.Rate * c.Duration.Seconds())
	}
	requests := total / int64(c.Rows)
	mine := requests / int64(c.Clients)
	if int64(i) < requests%int64(c.Clients) {
		mine++
	}
	return mine * int64(c.Rows)
}

// Report is what was sent and acknowledged.
type Report struct {
	Rows     uint64 `json:"rows"`     // acknowledged
	Requests uint64 `json:"requests"` // acknowledged
	// ByClient is how many rows of each client are acknowledged: its rows from 0 on.
	ByClient []uint64       `json:"by_client"`
	Resent   []Range        `json:"resent"`   // acknowledged after more than one attempt: these may be there twice
	Open     []Range        `json:"open"`     // never acknowledged
	Failures map[string]int `json:"failures"` // attempts, by gRPC code
	Seconds  float64        `json:"seconds"`
}

// Range is rows of one request.
type Range struct {
	Writer uint32 `json:"writer"`
	First  uint64 `json:"first"`
	Rows   int    `json:"rows"`
}

// Has tells whether a row is in it.
func (r Range) Has(writer uint32, row uint64) bool {
	return r.Writer == writer && row >= r.First && row < r.First+uint64(r.Rows)
}
