package enrich

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
)

func TestUserAgents(t *testing.T) {
	e, err := New(true, "")
	require.NoError(t, err)
	for ua, want := range map[string]rows.UserAgent{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36": {
			Browser: "Chrome", BrowserVersion: "126.0.0.0", OS: "Windows", OSVersion: "10.0", Device: "Desktop",
		},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Mobile/15E148 Safari/604.1": {
			Browser: "Safari", BrowserVersion: "17.4.1", OS: "iOS", OSVersion: "17.4.1", Device: "Mobile",
		},
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": {Bot: true, Device: "Bot"},
	} {
		for range 2 { // the second answer is the cache's
			got := e.UserAgent(ua)
			if want.Bot {
				assert.True(t, got.Bot)
				continue
			}
			assert.Equal(t, want, got)
		}
	}
	off, err := New(false, "")
	require.NoError(t, err)
	assert.Zero(t, off.UserAgent("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0"))
	require.NoError(t, off.Close())
}

func FuzzUserAgent(f *testing.F) {
	e, err := New(true, "")
	require.NoError(f, err)
	f.Add("Mozilla/5.0 (X11; Linux x86_64) Android ")
	f.Add("Mac OS X 10_")
	f.Fuzz(func(_ *testing.T, ua string) { e.UserAgent(ua) })
}

func TestAddresses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	require.NoError(t, os.WriteFile(path, database(), 0o600))
	e, err := New(false, path)
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	want := rows.Location{
		Country: "Germany", CountryCode: "DE", City: "Berlin", Region: "Land Berlin", Timezone: "Europe/Berlin", ISP: "Example",
		Latitude: 52.5, Longitude: 13.25,
	}
	for range 2 {
		assert.Equal(t, want, e.Address("203.0.113.7"))
		assert.Equal(t, want, e.Address("::ffff:203.0.113.7"))
		assert.Zero(t, e.Address("8.8.8.8"))
		assert.Zero(t, e.Address("unix:"))
	}
	_, err = New(false, filepath.Join(t.TempDir(), "absent.mmdb"))
	require.ErrorContains(t, err, "geoip_database")
}

func TestTheCacheIsBounded(t *testing.T) {
	c := newCache[int](10)
	for i := range 1000 {
		c.put(fmt.Sprint(i), i)
		_, ok := c.get("0")
		assert.True(t, ok, "in use")
	}
	assert.LessOrEqual(t, len(c.now)+len(c.old), 20)
	_, ok := c.get("500")
	assert.False(t, ok)
}

func TestWhatIsLongIsNotRemembered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	require.NoError(t, os.WriteFile(path, database(), 0o600))
	e, err := New(true, path)
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	chrome := "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 "
	for _, n := range []int{maxKey, maxKey + 1} {
		ua := chrome + strings.Repeat("x", n-len(chrome))
		for range 2 {
			assert.Equal(t, "Chrome", e.UserAgent(ua).Browser)
		}
		e.Address(strings.Repeat("x", n))
		assert.Len(t, e.agents.now, 1, n)
		assert.Len(t, e.places.now, 1, n)
	}
}

// database is a MaxMind database in which 203.0.113.0/24 is in Berlin and nothing else is anywhere.
func database() []byte {
	const depth = 24
	prefix := uint32(203)<<16 | 0<<8 | 113
	var tree []byte
	record := func(v int) { tree = append(tree, byte(v>>16), byte(v>>8), byte(v)) }
	for bit := range depth {
		next := bit + 1
		if next == depth {
			next = depth + 16 // the first record of the data section
		}
		if prefix>>(depth-1-bit)&1 == 1 {
			record(depth) // not found
			record(next)
		} else {
			record(next)
			record(depth)
		}
	}
	out := append(tree, make([]byte, 16)...)
	out = append(out, field(map[string]any{
		"country":      map[string]any{"iso_code": "DE", "names": map[string]any{"en": "Germany"}},
		"city":         map[string]any{"names": map[string]any{"en": "Berlin"}},
		"subdivisions": []any{map[string]any{"names": map[string]any{"en": "Land Berlin"}}},
		"location":     map[string]any{"latitude": 52.5, "longitude": 13.25, "time_zone": "Europe/Berlin"},
		"traits":       map[string]any{"isp": "Example"},
	})...)
	out = append(out, "\xab\xcd\xefMaxMind.com"...)
	return append(out, field(map[string]any{
		"node_count": uint32(depth), "record_size": uint32(24), "ip_version": uint32(4), "database_type": "GeoLite2-City",
		"binary_format_major_version": uint32(2), "binary_format_minor_version": uint32(0), "build_epoch": uint32(1),
		"languages": []any{"en"}, "description": map[string]any{"en": strings.Repeat("d", 10)},
	})...)
}

// field encodes a value in MaxMind's format; sizes below 29.
func field(v any) []byte {
	switch x := v.(type) {
	case string:
		return append([]byte{byte(2<<5 | len(x))}, x...)
	case float64:
		return binary.BigEndian.AppendUint64([]byte{3<<5 | 8}, math.Float64bits(x))
	case uint32:
		return binary.BigEndian.AppendUint32([]byte{6<<5 | 4}, x)
	case map[string]any:
		b := []byte{byte(7<<5 | len(x))}
		for k, v := range x {
			b = append(append(b, field(k)...), field(v)...)
		}
		return b
	case []any:
		b := []byte{byte(len(x)), 11 - 7}
		for _, v := range x {
			b = append(b, field(v)...)
		}
		return b
	}
	panic(fmt.Sprintf("%T", v))
}

func BenchmarkUserAgent(b *testing.B) {
	e, err := New(true, "")
	require.NoError(b, err)
	ua := "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
	b.ReportAllocs()
	for b.Loop() {
		e.UserAgent(ua)
	}
}
