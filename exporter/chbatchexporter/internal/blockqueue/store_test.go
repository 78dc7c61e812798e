package blockqueue

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// stopwatch counts writes to the storage, and how many of them took as long as it says.
type stopwatch struct {
	ignore
	long        time.Duration
	all, longer atomic.Int64
}

func (s *stopwatch) Written(took time.Duration) {
	s.all.Add(1)
	if took >= s.long {
		s.longer.Add(1)
	}
}

func TestWritesToTheStorageAreTimed(t *testing.T) {
	const long = 20 * time.Millisecond
	f, d, watch := newFake(t), newDisk(), &stopwatch{long: long}
	s := setup(t, f)
	s.Storage, s.Observer = d, watch
	q := begin(t, s)
	require.NoError(t, bring(q, 0, 10))
	require.Positive(t, watch.all.Load())
	d.mu.Lock()
	d.fail = func([]*storage.Operation) error {
		time.Sleep(long)
		return errors.New("a slow disk that fails in the end")
	}
	d.mu.Unlock()
	before := watch.longer.Load()
	require.Error(t, bring(q, 10, 20))
	assert.Greater(t, watch.longer.Load(), before)
	d.mu.Lock()
	d.fail = nil
	d.mu.Unlock()
	end(t, q)
}
