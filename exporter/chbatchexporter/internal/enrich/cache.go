package enrich

import (
	"strings"
	"sync"
)

// maxKey bounds the length of what is remembered: senders make up user agents and addresses.
const maxKey = 512

// cache remembers the last answers: at least size of them, at most twice as many. Safe for concurrent use.
type cache[V any] struct {
	size int

	mu       sync.Mutex
	now, old map[string]V
}

func newCache[V any](size int) *cache[V] { return &cache[V]{size: size, now: map[string]V{}} }

func (c *cache[V]) get(key string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.now[key]
	if ok {
		return v, true
	}
	if v, ok = c.old[key]; ok {
		c.add(key, v)
	}
	return v, ok
}

func (c *cache[V]) put(key string, v V) {
	if len(key) > maxKey {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(key, v)
}

// add drops the older generation when the younger one is full. The key's memory may be the caller's.
func (c *cache[V]) add(key string, v V) {
	if len(c.now) >= c.size {
		c.old, c.now = c.now, make(map[string]V, c.size)
	}
	c.now[strings.Clone(key)] = v
}
