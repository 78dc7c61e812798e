package main

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPartsStopBeforeWhatTakesTheirData(t *testing.T) {
	var stopped []string
	s := &stack{screen: newScreen(os.Stdout)}
	for _, name := range []string{clickHouseName, gatewayName, shopName, nginxName, agentName, trafficName} {
		s.parts = append(s.parts, part{name: name, stop: func() error {
			stopped = append(stopped, name)
			return nil
		}})
	}
	require.NoError(t, s.down())
	assert.Equal(t, stopNames, stopped)
	require.NoError(t, s.down(), "again")
	assert.Len(t, stopped, len(stopNames))
}

func TestAllPartsAreStoppedWhenOneFails(t *testing.T) {
	failed := errors.New("stuck")
	stopped := false
	s := &stack{screen: newScreen(os.Stdout), parts: []part{
		{name: clickHouseName, stop: func() error { stopped = true; return nil }},
		{name: gatewayName, stop: func() error { return failed }},
	}}
	require.ErrorIs(t, s.down(), failed)
	assert.True(t, stopped)
}

func TestScreen(t *testing.T) {
	var out bytes.Buffer
	terminal := &screen{out: &out, terminal: true}
	terminal.show("a")
	terminal.show("b")
	terminal.say("end")
	assert.Equal(t, "\r\x1b[Ka\r\x1b[Kb\nend\n", out.String())
	out.Reset()
	pipe := &screen{out: &out}
	pipe.show("a")
	pipe.show("b")
	assert.Equal(t, "a\n", out.String(), "a line every few seconds")
}

func TestRate(t *testing.T) {
	start := time.Now()
	s := &status{}
	assert.Zero(t, s.rate(look{start, 100}))
	assert.InDelta(t, 20, s.rate(look{start.Add(time.Second), 120}), 1e-9)
	assert.InDelta(t, 25, s.rate(look{start.Add(2 * time.Second), 150}), 1e-9)
	assert.Zero(t, s.rate(look{start.Add(3 * time.Second), 10}), "rows expired")
}

func TestGrouped(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1284: "1 284", 1234567: "1 234 567"} {
		assert.Equal(t, want, grouped(n))
	}
}
