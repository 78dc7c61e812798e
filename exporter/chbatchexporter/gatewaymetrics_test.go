package chbatchexporter

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

func TestAgentsAreCountedOnceAndTheirMemoryIsNotKept(t *testing.T) {
	l := newLoad()
	buf := []byte("web-01")
	for range 3 {
		l.sampled(unsafe.String(&buf[0], len(buf)))
	}
	buf[0] = 'x'
	l.sampled("web-01")
	l.sampled("web-02")
	assert.Equal(t, 2, l.takeAgents())
	assert.Zero(t, l.takeAgents())
}
