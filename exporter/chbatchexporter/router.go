package chbatchexporter

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/rows"
)

// router chooses shards. Without sharding everything is on shard 0.
type router struct {
	shards []string
	random bool
}

func newRouter(cfg *Config) *router {
	if cfg.Routing != routingShards {
		return &router{shards: []string{""}}
	}
	return &router{shards: cfg.endpoints(), random: cfg.Sharding.By == shardByRandom}
}

// shard for the rows of a resource.
func (r *router) shard(res *rows.Resource) int {
	if len(r.shards) == 1 {
		return 0
	}
	if r.random {
		return rand.IntN(len(r.shards))
	}
	h := fnv.New32a()
	if res.Instance != "" {
		_, _ = h.Write([]byte(res.Instance))
	} else {
		_, _ = h.Write([]byte(res.Service))
	}
	return int(h.Sum32() % uint32(len(r.shards)))
}

// name of a shard, which stays when endpoints are added.
func (r *router) name(shard int) string { return r.shards[shard%len(r.shards)] }

// index of a shard by its name; the first one takes the rows of an endpoint that is not configured any more.
func (r *router) index(name string) int { return max(slices.Index(r.shards, name), 0) }
