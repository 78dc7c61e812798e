// Package fault runs loads through gateways while servers are killed, frozen and cut off, and counts what came of the rows.
package fault

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Kind of fault.
type Kind string

// Kinds. Every round of a plan has each of them once.
const (
	KillClickHouse  Kind = "kill ClickHouse"
	PauseClickHouse Kind = "pause ClickHouse"
	KillGateway     Kind = "kill gateway"
	RestartGateway  Kind = "restart gateway"
	CutPostgres     Kind = "cut PostgreSQL"
	SlowDisk        Kind = "slow the disk"
)

var kinds = []Kind{KillClickHouse, PauseClickHouse, KillGateway, RestartGateway, CutPostgres, SlowDisk}

// Fault is one of a plan.
type Fault struct {
	At      time.Duration `json:"at"`      // from the beginning of the load
	For     time.Duration `json:"for"`     // until it is over; a gateway that restarts takes as long as it takes
	Kind    Kind          `json:"kind"`    //
	Gateway int           `json:"gateway"` // from 0
}

func (f Fault) String() string {
	if f.Kind == KillGateway || f.Kind == RestartGateway {
		return fmt.Sprintf("%s %d", f.Kind, f.Gateway+1)
	}
	return fmt.Sprintf("%s for %.1f s", f.Kind, f.For.Seconds())
}

// A fault, and the calm behind it, lasts up to longest and at least a quarter of that; a short run has short ones. The
// calm at the end lets servers recover while rows still come.
const (
	longest  = 6 * time.Second
	lastCalm = 3 * time.Second
)

// NewPlan makes the faults of a run. The same seed gives the same plan.
func NewPlan(seed uint64, length time.Duration, gateways int) []Fault {
	r := rand.New(rand.NewPCG(seed, 0xfa17))
	high := min(longest, length/15)
	random := func() time.Duration { return high/4 + time.Duration(r.Int64N(int64(high-high/4))) }
	var plan []Fault
	for at := random(); ; {
		for _, i := range r.Perm(len(kinds)) {
			f := Fault{At: at, For: random(), Kind: kinds[i], Gateway: r.IntN(gateways)}
			if f.At+f.For > length-lastCalm {
				return plan
			}
			plan = append(plan, f)
			at += f.For + random()
		}
	}
}
