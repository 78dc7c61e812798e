package avikareceiver

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configopaque"
	"go.uber.org/zap"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
)

// signedMetadata is what an agent sends, as pairs.
func signedMetadata(key, id, hostname string, at time.Time) []string {
	stamp := at.UTC().Format(time.RFC3339)
	secret, err := hex.DecodeString(key)
	if err != nil {
		panic(err)
	}
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s:%s:%s", id, hostname, stamp)
	return []string{
		"x-avika-agent-id", id, "x-avika-hostname", hostname, "x-avika-timestamp", stamp,
		"x-avika-signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)),
	}
}

func incoming(address string, pairs ...string) context.Context {
	ctx := peer.NewContext(context.Background(), &peer.Peer{Addr: &net.TCPAddr{IP: net.ParseIP(address), Port: 1}})
	return metadata.NewIncomingContext(ctx, metadata.Pairs(pairs...))
}

func newTestVerifier(t *testing.T, config PSKConfig) *pskVerifier {
	t.Helper()
	if config.ClockSkew == 0 {
		config.ClockSkew = 5 * time.Minute
	}
	v, err := newPSKVerifier(&config, zap.NewNop())
	require.NoError(t, err)
	return v
}

var otherKey = strings.Repeat("ab", 32)

func TestPSK(t *testing.T) {
	v := newTestVerifier(t, PSKConfig{Keys: configopaque.String(testKey + ", " + otherKey)})
	now := time.Now()
	good := identity{"web-01-10-0-2-15", "web-01", agentsession.AuthenticationPSK}
	swap := func(pairs []string, key, value string) []string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == key {
				pairs[i+1] = value
			}
		}
		return pairs
	}
	for _, test := range []struct {
		name   string
		pairs  []string
		want   identity
		reason string
	}{
		{"the first key", signedMetadata(testKey, "web-01-10-0-2-15", "web-01", now), good, ""},
		{"another key", signedMetadata(otherKey, "web-01-10-0-2-15", "web-01", now), good, ""},
		{"the old form of the id", signedMetadata(testKey, "web-01+10.0.2.15", "web-01", now), good, ""},
		{"a clock that is late", signedMetadata(testKey, "web-01-10-0-2-15", "web-01", now.Add(-4*time.Minute)), good, ""},
		{"a clock that is early", signedMetadata(testKey, "web-01-10-0-2-15", "web-01", now.Add(4*time.Minute)), good, ""},
		{"a clock that is too late", signedMetadata(testKey, "web-01-10-0-2-15", "web-01", now.Add(-6*time.Minute)), identity{}, refusedClock},
		{"a clock that is too early", signedMetadata(testKey, "web-01-10-0-2-15", "web-01", now.Add(6*time.Minute)), identity{}, refusedClock},
		{"a key of somebody else", signedMetadata(strings.Repeat("cd", 32), "web-01-10-0-2-15", "web-01", now), identity{}, refusedSignature},
		{"another id", swap(signedMetadata(testKey, "web-01-10-0-2-15", "web-01", now), "x-avika-agent-id", "web-02-10-0-2-16"), identity{}, refusedSignature},
		{"another host", swap(signedMetadata(testKey, "web-01-10-0-2-15", "web-01", now), "x-avika-hostname", "web-02"), identity{}, refusedSignature},
		{"another time", swap(signedMetadata(testKey, "web-01-10-0-2-15", "web-01", now), "x-avika-timestamp", "2020-01-01T00:00:00Z"), identity{}, refusedSignature},
		{"no base64", swap(signedMetadata(testKey, "web-01-10-0-2-15", "web-01", now), "x-avika-signature", "%"), identity{}, refusedSignature},
		{"an empty signature", swap(signedMetadata(testKey, "web-01-10-0-2-15", "web-01", now), "x-avika-signature", ""), identity{}, refusedUnsigned},
		{"an empty id", signedMetadata(testKey, "", "web-01", now), identity{}, refusedUnsigned},
		{"two signatures", append(signedMetadata(testKey, "web-01-10-0-2-15", "web-01", now), "x-avika-signature", "eA=="), identity{}, refusedUnsigned},
		{"nothing", nil, identity{}, refusedUnsigned},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, reason, message := v.verify(incoming("192.0.2.1", test.pairs...))
			require.Equal(t, test.reason, reason)
			require.Equal(t, test.want, got)
			require.Equal(t, reason != "", message != "")
		})
	}
}

// TestAClockThatIsOff is named with its side, the difference and what is allowed.
func TestAClockThatIsOff(t *testing.T) {
	v := newTestVerifier(t, PSKConfig{Keys: testKey, ClockSkew: 90 * time.Second})
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	v.now = func() time.Time { return now }
	for off, want := range map[time.Duration]string{
		-time.Hour:       "the agent's clock is 1h0m0s behind the gateway's; psk::clock_skew allows 1m30s",
		91 * time.Second: "the agent's clock is 1m31s ahead of the gateway's; psk::clock_skew allows 1m30s",
		90 * time.Second: "",
	} {
		_, _, message := v.verify(incoming("192.0.2.1", signedMetadata(testKey, "a", "h", now.Add(off))...))
		require.Equal(t, want, message)
	}
	require.Equal(t, `the time that the agent signed, "`+strings.Repeat("x", 40)+`", is not one of RFC 3339`, v.outOfTime(now, strings.Repeat("x", 4000)))
}

func TestReplayedSignature(t *testing.T) {
	v := newTestVerifier(t, PSKConfig{Keys: testKey})
	pairs := signedMetadata(testKey, "a", "h", time.Now())
	for _, step := range []struct{ address, reason string }{{"192.0.2.1", ""}, {"192.0.2.1", ""}, {"192.0.2.2", refusedReplay}, {"192.0.2.1", ""}} {
		_, reason, _ := v.verify(incoming(step.address, pairs...))
		require.Equal(t, step.reason, reason)
	}
	written := pairs[len(pairs)-1]
	spare := strings.IndexByte(base64Digits, written[len(written)-2]) // its last two bits mean nothing
	for bits := range 4 {
		pairs[len(pairs)-1] = written[:len(written)-2] + base64Digits[spare&^3|bits:][:1] + "="
		_, reason, _ := v.verify(incoming("192.0.2.2", pairs...))
		require.Equal(t, refusedReplay, reason, "however it is written")
	}
}

const base64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// A signature is remembered for as long as its time is good.
func TestReplayGuardForgets(t *testing.T) {
	g := replayGuard{life: 10 * time.Minute}
	start := time.Now()
	require.True(t, g.admit(start, "s", "a"))
	require.False(t, g.admit(start.Add(9*time.Minute), "s", "b"))
	require.True(t, g.admit(start.Add(11*time.Minute), "t", "a"))
	require.False(t, g.admit(start.Add(12*time.Minute), "s", "b"), "the older generation is still known")
	require.True(t, g.admit(start.Add(22*time.Minute), "u", "a"))
	require.True(t, g.admit(start.Add(23*time.Minute), "s", "b"))
	for i := range 3 * maxRemembered {
		g.admit(start.Add(24*time.Minute), fmt.Sprint(i), "a")
	}
	require.LessOrEqual(t, len(g.new)+len(g.old), 2*maxRemembered)
}

func TestKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "psk")
	write := func(content string, at time.Time) {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		require.NoError(t, os.Chtimes(file, at, at))
	}
	start := time.Now()
	write("# keys\n"+testKey+"\n\n", start)
	v := newTestVerifier(t, PSKConfig{KeyFile: file, Keys: configopaque.String(otherKey)})
	now := start
	v.now = func() time.Time { return now }
	verify := func(key string) string {
		_, reason, _ := v.verify(incoming("192.0.2.1", signedMetadata(key, "a", "h", now)...))
		return reason
	}
	require.Empty(t, verify(testKey))
	require.Empty(t, verify(otherKey), "configured keys stay beside the file's")

	third := strings.Repeat("12", 32)
	write(third+"\n", start.Add(time.Second))
	now = start.Add(2 * fileCheckInterval)
	require.Empty(t, verify(third), "the file is read again")
	require.Equal(t, refusedSignature, verify(testKey))

	write("nonsense", start.Add(2*time.Second))
	now = start.Add(4 * fileCheckInterval)
	require.Empty(t, verify(third), "a bad file leaves the keys")
	require.NoError(t, os.Remove(file))
	now = start.Add(6 * fileCheckInterval)
	require.Empty(t, verify(third), "so does a missing one")
}

func TestKeyFileMustHoldAKey(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, []byte("# nothing\n"), 0o600))
	for _, file := range []string{missing, empty} {
		_, err := newPSKVerifier(&PSKConfig{KeyFile: file, ClockSkew: time.Minute}, zap.NewNop())
		require.ErrorContains(t, err, "psk::key_file")
	}
	v, err := newPSKVerifier(&PSKConfig{Keys: " , ", ClockSkew: time.Minute}, zap.NewNop())
	require.NoError(t, err)
	require.Nil(t, v, "no key means no check")
}
