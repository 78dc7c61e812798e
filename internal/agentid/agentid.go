// Package agentid knows the two forms in which agents write their id.
package agentid

import (
	"net/netip"
	"strconv"
	"strings"
)

// Canonical returns the form of an agent id under which the agent is known: the host name and the address joined
// by dashes ("web-01-10-0-2-15"). Older agents write "web-01+10.0.2.15", which is the same agent. Any other id is
// returned as it is.
func Canonical(id string) string {
	plus := strings.LastIndexByte(id, '+')
	if plus < 0 {
		return id
	}
	if _, err := netip.ParseAddr(id[plus+1:]); err != nil {
		return id
	}
	return id[:plus] + "-" + addressToDashes.Replace(id[plus+1:])
}

var addressToDashes = strings.NewReplacer(".", "-", ":", "-")

// Host is the host name in a canonical agent id: what is before an IPv4 address. An id without one is its own host.
func Host(id string) string {
	rest := id
	for range 4 {
		dash := strings.LastIndexByte(rest, '-')
		if dash <= 0 {
			return id
		}
		if _, err := strconv.ParseUint(rest[dash+1:], 10, 8); err != nil {
			return id
		}
		rest = rest[:dash]
	}
	return rest
}
