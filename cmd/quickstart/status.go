package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// rateWindow is how many looks back the row rate reaches, so that the figure does not jump.
const rateWindow = 5

// rowsQuery counts what the gateway inserts, not what materialized views derive from it.
const rowsQuery = `SELECT sum(ifNull(total_rows, 0)) AS rows FROM system.tables WHERE database = {database:String} AND engine LIKE '%MergeTree'
	AND name NOT IN ('traffic_5min', 'geo_requests_hourly', 'otel_traces_trace_id_ts', 'gateway_metrics',
	'avika_schema_versions') AND name NOT LIKE '.inner%'`

// status asks the gateway and ClickHouse how it goes.
type status struct {
	opts      options
	endpoints []string
	conn      *ch.Client // nil: not connected
	looks     []look     // the last ones, oldest first
}

// look is how many rows there were at a time.
type look struct {
	at   time.Time
	rows uint64
}

func newStatus(opts options, clickHouse string) *status {
	return &status{opts: opts, endpoints: strings.Split(clickHouse, ",")}
}

func (s *status) close() {
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}

// connect takes the first server that answers.
func (s *status) connect(ctx context.Context) (err error) {
	for _, endpoint := range s.endpoints {
		s.conn, err = ch.Dial(ctx, ch.Options{Address: strings.TrimSpace(endpoint), User: s.opts.username, Password: s.opts.password})
		if err == nil {
			return nil
		}
	}
	return fmt.Errorf("connect to ClickHouse: %w", err)
}

// stored is the number of rows in the gateway's tables. A connection that failed is made anew the next time.
func (s *status) stored(ctx context.Context) (uint64, error) {
	if s.conn == nil {
		if err := s.connect(ctx); err != nil {
			return 0, err
		}
	}
	var rows proto.ColUInt64
	err := s.conn.Do(ctx, ch.Query{
		Body: rowsQuery, Parameters: ch.Parameters(map[string]any{"database": s.opts.database}),
		Result: proto.Results{{Name: "rows", Data: &rows}},
	})
	if err != nil || rows.Rows() == 0 {
		s.close()
		return 0, fmt.Errorf("count rows: %w", err)
	}
	return rows.Row(0), nil
}

// line is the status as one line; what cannot be asked is shown as a question mark.
func (s *status) line(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	online, stored, rate := "?", "?", "?"
	if n, err := s.online(ctx); err == nil {
		online = strconv.Itoa(n)
	}
	if rows, err := s.stored(ctx); err == nil {
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
