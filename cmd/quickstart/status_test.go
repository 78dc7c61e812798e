package main

import (
	"strings"
	"testing"

	"github.com/ClickHouse/ch-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/internal/testenv"
)

func TestStoredCountsWhatTheGatewayInserts(t *testing.T) {
	endpoint := testenv.ClickHouse(t)
	o := options{database: "quickstart_status", username: "default"}
	s := newStatus(o, "127.0.0.1:1,"+endpoint)
	defer s.close()
	rows, err := s.stored(t.Context())
	require.NoError(t, err, "the second server answers")
	assert.Zero(t, rows, "no database yet")
	for statement := range strings.SplitSeq(`CREATE DATABASE quickstart_status;
		CREATE TABLE quickstart_status.access_logs (n UInt8) ENGINE = MergeTree ORDER BY n;
		CREATE TABLE quickstart_status.traffic_5min (n UInt8) ENGINE = MergeTree ORDER BY n;
		INSERT INTO quickstart_status.access_logs SELECT number FROM numbers(7);
		INSERT INTO quickstart_status.traffic_5min SELECT number FROM numbers(9)`, ";") {
		require.NoError(t, s.conn.Do(t.Context(), ch.Query{Body: statement}), statement)
	}
	defer func() { assert.NoError(t, s.conn.Do(t.Context(), ch.Query{Body: "DROP DATABASE quickstart_status"})) }()
	rows, err = s.stored(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 7, rows)
}
