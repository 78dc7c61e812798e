package avikareceiver

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/internal/agentid"
)

// pskVerifier checks signatures made with a pre-shared key.
type pskVerifier struct {
	config *PSKConfig
	logger *zap.Logger
	now    func() time.Time

	mu       sync.Mutex
	keys     [][]byte
	fileTime time.Time
	checked  time.Time
	replays  replayGuard
}

// newPSKVerifier returns nil when no key is configured. A file without a key is an error: it must not open the gateway.
func newPSKVerifier(config *PSKConfig, logger *zap.Logger) (*pskVerifier, error) {
	v := &pskVerifier{config: config, logger: logger, now: time.Now, replays: replayGuard{life: 2 * config.ClockSkew}}
	fixed, err := parseKeys(string(config.Keys))
	if err != nil {
		return nil, err
	}
	if config.KeyFile == "" {
		v.keys = fixed
		if len(fixed) == 0 {
			return nil, nil
		}
		return v, nil
	}
	return v, v.load()
}

// load reads the file's keys and puts them behind the configured ones.
func (v *pskVerifier) load() error {
	info, err := os.Stat(v.config.KeyFile)
	if err != nil {
		return fmt.Errorf("read psk::key_file: %w", err)
	}
	content, err := os.ReadFile(v.config.KeyFile)
	if err != nil {
		return fmt.Errorf("read psk::key_file: %w", err)
	}
	var lines []string
	for line := range strings.Lines(string(content)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			lines = append(lines, line)
		}
	}
	keys, err := parseKeys(strings.Join(append(lines, string(v.config.Keys)), ","))
	if err == nil && len(keys) == 0 {
		err = errors.New("there is no key in it")
	}
	if err != nil {
		return fmt.Errorf("read psk::key_file: %w", err)
	}
	v.keys, v.fileTime = keys, info.ModTime()
	return nil
}

// fileCheckInterval is how often the file is looked at, when somebody wants to be let in.
const fileCheckInterval = 5 * time.Second

// currentKeys returns the keys, after the file was read again if it has changed. A file that cannot be read
// leaves the keys as they were.
func (v *pskVerifier) currentKeys(now time.Time) [][]byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.config.KeyFile == "" || now.Sub(v.checked) < fileCheckInterval {
		return v.keys
	}
	v.checked = now
	if info, err := os.Stat(v.config.KeyFile); err == nil && info.ModTime().Equal(v.fileTime) {
		return v.keys
	}
	if err := v.load(); err != nil {
		v.logger.Error("Keeping the pre-shared keys as they were", zap.Error(err))
	} else {
		v.logger.Info("Read the pre-shared keys again", zap.Int("keys", len(v.keys)))
	}
	return v.keys
}

// verify returns the identity that the metadata of a call prove, or the reason why they prove none and what an operator reads of it in the
// agent's log.
func (v *pskVerifier) verify(ctx context.Context) (proven identity, reason, message string) {
	md, _ := metadata.FromIncomingContext(ctx)
	id, hostname := single(md, "x-avika-agent-id"), single(md, "x-avika-hostname")
	stamp, signature := single(md, "x-avika-timestamp"), single(md, "x-avika-signature")
	if id == "" || stamp == "" || signature == "" {
		return identity{}, refusedUnsigned, "this gateway requires a pre-shared key, and the agent sent no signature"
	}
	now := v.now()
	mac, ok := v.signed(now, id+":"+hostname+":"+stamp, signature)
	if !ok {
		return identity{}, refusedSignature, "the agent's signature is not made with a pre-shared key of this gateway"
	}
	if message := v.outOfTime(now, stamp); message != "" {
		return identity{}, refusedClock, message
	}
	if !v.fresh(now, mac, remoteHost(ctx)) {
		return identity{}, refusedReplay, "the agent's signature was used before, from another address"
	}
	return identity{agentid.Canonical(id), hostname, agentsession.AuthenticationPSK}, "", ""
}

// outOfTime says by how much the agent's clock is off when it is by too much.
func (v *pskVerifier) outOfTime(now time.Time, stamp string) string {
	at, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return fmt.Sprintf("the time that the agent signed, %.40q, is not one of RFC 3339", stamp)
	}
	behind := now.Sub(at)
	if behind.Abs() <= v.config.ClockSkew {
		return ""
	}
	side := "behind"
	if behind < 0 {
		side = "ahead of"
	}
	return fmt.Sprintf("the agent's clock is %s %s the gateway's; psk::clock_skew allows %s", behind.Abs().Round(time.Second), side, v.config.ClockSkew)
}

func single(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) == 1 {
		return values[0]
	}
	return ""
}

// signed compares with every key, so that the time taken does not tell which one is close. It returns the signature's bytes, which
// base64 can write in several ways.
func (v *pskVerifier) signed(now time.Time, message, signature string) (mac string, match bool) {
	claimed, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return "", false
	}
	for _, key := range v.currentKeys(now) {
		expected := hmac.New(sha256.New, key)
		expected.Write([]byte(message))
		if hmac.Equal(expected.Sum(nil), claimed) {
			match = true
		}
	}
	return string(claimed), match
}

func (v *pskVerifier) fresh(now time.Time, mac, host string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.replays.admit(now, mac, host)
}

// remoteHost is the address without the port.
func remoteHost(ctx context.Context) string {
	address := peerAddress(peer.FromContext(ctx))
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// replayGuard refuses a signature that was used from another address before. The same address may use it again: an
// agent that reconnects within a second signs the same words.
type replayGuard struct {
	life     time.Duration
	turned   time.Time
	new, old map[string]string
}

// maxRemembered bounds the memory; beyond it the oldest half is forgotten early.
const maxRemembered = 100_000

func (g *replayGuard) admit(now time.Time, signature, host string) bool {
	if g.new == nil || now.Sub(g.turned) > g.life || len(g.new) >= maxRemembered {
		g.old, g.new, g.turned = g.new, map[string]string{}, now
	}
	first, ok := g.new[signature]
	if !ok {
		first, ok = g.old[signature]
	}
	if ok {
		return first == host
	}
	g.new[signature] = host
	return true
}
