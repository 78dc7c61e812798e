package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// rateWindow is how many looks back the row rate reaches, so that the figure does not jump.
const rateWindow = 5

// rowsQuery counts what the gateway inserts, not what materialized views derive from it.
const rowsQuery = `SELECT toUInt64(sum(total_rows)) FROM system.tables WHERE database = ? AND engine LIKE '%MergeTree'
	AND name NOT IN ('traffic_5min', 'geo_requests_hourly', 'otel_traces_trace_id_ts', 'gateway_metrics')
	AND name NOT LIKE '.inner%'`

// status asks the gateway and ClickHouse how it goes.
type status struct {
	opts  options
	rows  driver.Conn
	looks []look // the last ones, oldest first
}

// look is how many rows there were at a time.
type look struct {
	at   time.Time
	rows uint64
}

func newStatus(opts options, endpoint string) (*status, error) {
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: strings.Split(endpoint, ","), Auth: clickhouse.Auth{Username: opts.username, Password: opts.password},
		DialTimeout: 2 * time.Second, ReadTimeout: 5 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("look at ClickHouse: %w", err)
	}
	return &status{opts: opts, rows: conn}, nil
}

func (s *status) close() { _ = s.rows.Close() }

// line is the status as one line; what cannot be asked is shown as a question mark.
func (s *status) line(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	online, stored, rate := "?", "?", "?"
	if n, err := s.online(ctx); err == nil {
		online = strconv.Itoa(n)
	}
	var rows uint64
	if err := s.rows.QueryRow(ctx, rowsQuery, s.opts.database).Scan(&rows); err == nil {
		stored, rate = grouped(rows), strconv.FormatFloat(s.rate(look{time.Now(), rows}), 'f', 0, 64)
	}
	return fmt.Sprintf("agents online %s · rows stored %s · %s rows/s", online, stored, rate)
}

// rate is rows per second over the last looks. Rows that expire make it zero, not negative.
func (s *status) rate(now look) float64 {
	s.looks = append(s.looks, now)
	if len(s.looks) > rateWindow+1 {
		s.looks = s.looks[1:]
	}
	first := s.looks[0]
	seconds := now.at.Sub(first.at).Seconds()
	if seconds <= 0 || now.rows < first.rows {
		return 0
	}
	return float64(now.rows-first.rows) / seconds
}

// online is the number of agents whose session is open.
func (s *status) online(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr(s.opts.httpPort)+"/api/v1/agents?status=online&limit=1", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("list agents: %s", resp.Status)
	}
	var list struct {
		Total int `json:"total"`
	}
	err = json.NewDecoder(resp.Body).Decode(&list)
	return list.Total, err
}

// grouped writes 1234567 as 1 234 567.
func grouped(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + " " + text[i:]
	}
	return text
}
