package offheap

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCloneHoldsTheSame(t *testing.T) {
	for _, n := range []int{0, 1, minSize - 1, minSize, 3<<20 + 7} {
		want := bytes.Repeat([]byte{'x'}, n)
		m := Clone(want, 10)
		require.True(t, bytes.Equal(want, m.Bytes()))
		require.Equal(t, n, cap(m.Bytes()))
		if n >= minSize {
			require.True(t, bytes.Equal(append([]byte("front"), want...), m.Behind([]byte("front"))))
			require.True(t, bytes.Equal(append([]byte("ten bytes!"), want...), m.Behind([]byte("ten bytes!"))))
		}
		require.Nil(t, m.Behind([]byte("more than ten")))
		require.True(t, bytes.Equal(want, m.Bytes()))
		runtime.KeepAlive(m)
	}
}

// TestMemoryIsOutsideOfTheHeapAndGivenBack when nobody can reach it.
func TestMemoryIsOutsideOfTheHeapAndGivenBack(t *testing.T) {
	const size, n = 1 << 20, 64
	source := make([]byte, size)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	held := make([]*Memory, n)
	for i := range held {
		held[i] = Clone(source, 0)
	}
	runtime.ReadMemStats(&after)
	require.GreaterOrEqual(t, mapped.Load(), int64(n*size))
	require.Less(t, after.HeapAlloc, before.HeapAlloc+size)
	runtime.KeepAlive(held)
	require.Eventually(t, func() bool {
		runtime.GC()
		return mapped.Load() == 0
	}, 10*time.Second, 10*time.Millisecond)
}
