package agentregistry

import (
	"net"
	"net/netip"
	"runtime"
	"sync"
	"time"
)

// advertised is the base URL at which others reach a listener. For one that listens on all addresses it is the first
// global one of this machine.
func advertised(address net.Addr, secure bool) string {
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	bound, err := netip.ParseAddrPort(address.String())
	if err != nil {
		return "" // a unix socket, which no other gateway reaches
	}
	if !bound.Addr().IsUnspecified() {
		return scheme + bound.String()
	}
	return scheme + netip.AddrPortFrom(globalAddress(), bound.Port()).String()
}

func globalAddress() netip.Addr {
	addresses, err := net.InterfaceAddrs()
	best := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if err != nil {
		return best
	}
	for _, a := range addresses {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || !prefix.Addr().IsGlobalUnicast() {
			continue
		}
		if prefix.Addr().Is4() {
			return prefix.Addr()
		}
		best = prefix.Addr()
	}
	return best
}

// messageRate turns a counter into a rate between two looks.
type messageRate struct {
	mu    sync.Mutex
	total int64
	at    time.Time
	rate  float64
}

func (m *messageRate) since(total int64) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if elapsed := time.Since(m.at).Seconds(); elapsed >= 1 {
		if !m.at.IsZero() {
			m.rate = float64(total-m.total) / elapsed
		}
		m.total, m.at = total, time.Now()
	}
	return m.rate
}

func goroutines() int { return runtime.NumGoroutine() }
