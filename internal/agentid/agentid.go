// Package agentid knows the two forms in which agents write their id.
package agentid

import (
	"net/netip"
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
