package link

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Key is the pre-shared key. The empty key means no authentication.
type Key []byte

const keyBytes = 32

// ParseKey reads 64 hex digits. Its error never holds the key.
func ParseKey(s string) (Key, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, nil
	}
	key, err := hex.DecodeString(s)
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("pre-shared key: want %d hex digits, got %d characters; `openssl rand -hex %d` makes one",
			2*keyBytes, len(s), keyBytes)
	}
	return key, nil
}

// header is one metadata entry of the opening request.
type header struct{ name, value string }

func (k Key) headers(who Identity, now time.Time) []header {
	if len(k) == 0 {
		return nil
	}
	stamp := now.UTC().Format(time.RFC3339)
	return []header{
		{"x-avika-agent-id", who.AgentID},
		{"x-avika-hostname", who.Hostname},
		{"x-avika-timestamp", stamp},
		{"x-avika-signature", k.sign(who.AgentID + ":" + who.Hostname + ":" + stamp)},
	}
}

func (k Key) sign(text string) string {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
