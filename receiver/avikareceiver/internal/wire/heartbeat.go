package wire

import (
	"encoding/binary"
	"hash/maphash"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of a Heartbeat that need care when two are compared.
const (
	heartbeatUptime = 3
	heartbeatLabels = 11
)

var digestSeed = maphash.MakeSeed()

// HeartbeatDigest returns a number that two Heartbeat messages share when they say the same of their agent, but for its uptime and whatever order
// the labels come in, and that uptime, in seconds. It reports false for what is no message. The number is good for this process only.
func HeartbeatDigest(b []byte) (digest uint64, uptime float64, ok bool) {
	var labels uint64
	for len(b) > 0 {
		num, typ, n := consumeTag(b)
		if n <= 0 {
			return 0, 0, false
		}
		size := protowire.ConsumeFieldValue(num, typ, b[n:])
		if size < 0 {
			return 0, 0, false
		}
		field := b[:n+size]
		b = b[n+size:]
		switch num {
		case heartbeatUptime:
			if typ == protowire.Fixed64Type {
				uptime = math.Float64frombits(binary.LittleEndian.Uint64(field[n:]))
			}
		case heartbeatLabels:
			labels += maphash.Bytes(digestSeed, field)
		default:
			digest = digest*0x9e3779b97f4a7c15 + maphash.Bytes(digestSeed, field)
		}
	}
	return digest ^ (labels*0xbf58476d1ce4e5b9 | 1), uptime, true
}
