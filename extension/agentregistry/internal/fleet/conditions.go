package fleet

import "time"

// Conditions are what somebody may have to look after, beside what Count says.
type Conditions struct {
	// Flapping agents opened their stream flapOpens times within flapWindow, at any gateway.
	Flapping int
	// CertificateExpires is the earliest expiry among the certificates of agents that are online; zero: none is known.
	CertificateExpires time.Time
	// LeasesLost is how often this gateway's lease ran out.
	LeasesLost int64
}

const (
	flapOpens  = 4
	flapWindow = 10 * time.Minute
)

// opens are the times of an agent's newest sessions in unix seconds, the oldest first.
type opens [flapOpens]int64

func (o *opens) add(at time.Time) {
	copy(o[:], o[1:])
	o[flapOpens-1] = at.Unix()
}

func (o *opens) flapping(now time.Time) bool { return o[0] > now.Add(-flapWindow).Unix() }

// Conditions looks at all agents.
func (f *Fleet) Conditions() Conditions {
	f.mu.RLock()
	defer f.mu.RUnlock()
	c := Conditions{LeasesLost: f.leasesLost}
	now := f.now()
	var earliest int64
	for _, e := range f.entries {
		c.Flapping += boolean(e.opens.flapping(now))
		if at := e.agent.Config.CertificateExpires; at != 0 && (earliest == 0 || at < earliest) {
			if online, _ := f.online(e); online {
				earliest = at
			}
		}
	}
	if earliest != 0 {
		c.CertificateExpires = time.Unix(earliest, 0)
	}
	return c
}
