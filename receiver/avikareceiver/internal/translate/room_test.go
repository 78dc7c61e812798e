package translate

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRoomKeepsEntries fills rooms with entries of all sizes, some larger than what is taken at a time, and again after a release.
func TestRoomKeepsEntries(t *testing.T) {
	var room Room
	for range 3 {
		for _, expected := range []int{0, 1000, 1 << 20} {
			var kept [][]byte
			for n := range 400 {
				entry := bytes.Repeat([]byte{byte(n)}, n*n%(20<<10))
				kept = append(kept, room.Keep(entry, expected))
				clear(entry)
			}
			for n, entry := range kept {
				require.True(t, bytes.Equal(bytes.Repeat([]byte{byte(n)}, n*n%(20<<10)), entry))
				require.Equal(t, len(entry), cap(entry), "nobody can append to what stands behind")
			}
			room.Release()
		}
	}
}
