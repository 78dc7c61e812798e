package rows

import (
	"encoding/binary"
	"unsafe"

	"github.com/avika-ai/avika-collector/internal/nginxsemconv"
)

// attribute says which attribute of an access record a key is.
type attribute uint8

const (
	// attrOther is one that records of the avika receiver do not have.
	attrOther attribute = iota
	// attrUnused is one that they have and no column is made of.
	attrUnused
	attrMethod
	attrOriginalMethod
	attrPath
	attrQuery
	attrStatus
	attrBodySize
	attrRequestTime
	attrPeer
	attrClient
	attrUserAgent
	attrReferer
	attrForwarded
	attrRequestID
	attrHost
	attrScheme
	attrProtocol
	attrCache
	attrUpstreams
	attrUpstreamStatus
	attrConnectTime
	attrHeaderTime
	attrResponseTime
)

// accessKey is a key and what it is.
type accessKey struct {
	key string
	is  attribute
}

var accessKeys = []accessKey{
	{"http.request.method", attrMethod},
	{"http.request.method_original", attrOriginalMethod},
	{"url.path", attrPath},
	{"url.query", attrQuery},
	{"http.response.status_code", attrStatus},
	{"http.response.body.size", attrBodySize},
	{"http.response.size", attrUnused},
	{"error.type", attrUnused},
	{"server.port", attrUnused},
	{nginxsemconv.RequestTime, attrRequestTime},
	{"network.peer.address", attrPeer},
	{"client.address", attrClient},
	{"user_agent.original", attrUserAgent},
	{nginxsemconv.RequestHeaderReferer, attrReferer},
	{nginxsemconv.RequestHeaderForwarded, attrForwarded},
	{nginxsemconv.RequestID, attrRequestID},
	{"server.address", attrHost},
	{"url.scheme", attrScheme},
	{"network.protocol.version", attrProtocol},
	{nginxsemconv.CacheStatus, attrCache},
	{nginxsemconv.UpstreamAddress, attrUpstreams},
	{nginxsemconv.UpstreamStatus, attrUpstreamStatus},
	{nginxsemconv.UpstreamConnectTime, attrConnectTime},
	{nginxsemconv.UpstreamHeaderTime, attrHeaderTime},
	{nginxsemconv.UpstreamResponseTime, attrResponseTime},
}

// Keys of the receiver in the same program are found by their address: Go's linker keeps one copy of equal constants. All others, such as
// those of OTLP, are found by some of their bytes, and compared.
var (
	keysByAddress = newKeyTable(accessKeys, addressOf)
	keysByText    = newKeyTable(accessKeys, digestOf)
)

func attributeOf(key string) attribute {
	if known := keysByAddress.at(addressOf(key)); unsafe.StringData(known.key) == unsafe.StringData(key) && len(known.key) == len(key) {
		return known.is
	}
	if known := keysByText.at(digestOf(key)); known.key == key {
		return known.is
	}
	return attrOther
}

func addressOf(key string) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.StringData(key)))) }

// digestOf is another number for each of the keys: of the last eight bytes, the first one and the length.
func digestOf(key string) uint64 {
	if len(key) < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64([]byte(key[len(key)-8:])) ^ uint64(key[0])<<8 ^ uint64(len(key))
}

// keyTable has a slot of its own for each key.
type keyTable struct {
	slots  [1 << slotBits]accessKey
	spread uint64
}

const slotBits = 8

// at returns the only key whose number may be n.
func (t *keyTable) at(n uint64) *accessKey { return &t.slots[n*t.spread>>(64-slotBits)] }

// newKeyTable looks for a factor that keeps the keys apart. Where there is none for addresses, some keys are found by their bytes; that there is
// one for these a test tells, for it depends on the keys alone.
func newKeyTable(keys []accessKey, number func(string) uint64) *keyTable {
	const golden = 0x9e3779b97f4a7c15 // odd, without a pattern
	t := &keyTable{spread: golden}
	for range 10_000 {
		if t.fill(keys, number) {
			break
		}
		t.spread *= golden
	}
	return t
}

func (t *keyTable) fill(keys []accessKey, number func(string) uint64) (apart bool) {
	clear(t.slots[:])
	apart = true
	for _, k := range keys {
		slot := t.at(number(k.key))
		apart = apart && slot.key == ""
		*slot = k
	}
	return apart
}
