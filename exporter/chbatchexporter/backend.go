package chbatchexporter

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/chconn"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/enrich"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/nativeblock"
	"github.com/avika-ai/avika-collector/exporter/chbatchexporter/internal/schema"
)

// backend is what the exporters of all signals with one configuration share: connections and knowledge of the tables.
type backend struct {
	cfg *Config
	log *zap.Logger

	load *load

	mu     sync.Mutex
	users  int
	in     *inserter
	enrich *enrich.Enricher
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// start connects in the background when the first signal starts.
func (b *backend) start(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users == 0 {
		if err := b.open(ctx); err != nil {
			return err
		}
	}
	b.users++
	return nil
}

// stop closes all connections when the last signal stops.
func (b *backend) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users == 0 {
		return
	}
	if b.users--; b.users > 0 {
		return
	}
	b.cancel()
	b.wg.Wait()
	for _, e := range b.in.endpoints {
		e.pool.Close()
	}
	if err := b.enrich.Close(); err != nil {
		b.log.Warn("The GeoIP database could not be closed", zap.Error(err))
	}
}

func (b *backend) open(ctx context.Context) error {
	var tlsConfig *tls.Config
	if b.cfg.TLS.HasValue() {
		var err error
		if tlsConfig, err = b.cfg.TLS.Get().LoadTLSConfig(ctx); err != nil {
			return fmt.Errorf("load TLS configuration: %w", err)
		}
	}
	var err error
	if b.enrich, err = enrich.New(b.cfg.Enrich.UserAgent, b.cfg.Enrich.GeoIPDatabase); err != nil {
		return err
	}
	b.in = b.newInserter(tlsConfig)
	bg, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	for _, e := range b.in.endpoints {
		b.wg.Go(func() { prepareUntilReady(bg, e) })
	}
	return nil
}

// dialTimeout bounds connection and handshake.
const dialTimeout = 10 * time.Second

func (b *backend) newInserter(tlsConfig *tls.Config) *inserter {
	cfg := b.cfg
	in := &inserter{
		routing: cfg.Routing, reroute: cfg.Sharding.OnFailure == shardReroute, async: cfg.AsyncInsert, timeout: cfg.Timeout,
		newComp: func() (*nativeblock.Compressor, error) { return nativeblock.NewCompressor(nativeblock.None) },
	}
	slots := chconn.NewSlots(cfg.MaxOpenConns)
	opts := cfg.Schema.options(cfg.Database)
	for _, addr := range cfg.endpoints() {
		pool := chconn.NewPool(chconn.Options{
			Addr: addr, User: cfg.Username, Password: string(cfg.Password), TLS: tlsConfig, DialTimeout: dialTimeout,
		}, slots)
		in.endpoints = append(in.endpoints, newEndpoint(pool, opts, cfg.Schema.CreateSchema, b.log))
	}
	return in
}

func (c *SchemaConfig) options(database string) *schema.Options {
	o := &schema.Options{
		Database: database, Cluster: c.Cluster, StoragePolicy: c.StoragePolicy, DedupWindow: c.DeduplicationWindow,
		TTLDays: map[string]int{}, Settings: map[string]string{},
	}
	for name, value := range c.TableSettings {
		o.Settings[name] = fmt.Sprint(value)
	}
	for table, ttl := range c.TTL {
		o.TTLDays[table] = int(ttl / (24 * time.Hour))
	}
	return o
}

// prepareUntilReady creates the tables as soon as ClickHouse is there, so that they exist before the first row.
func prepareUntilReady(ctx context.Context, e *endpoint) {
	said := false
	for {
		_, err := e.ready(ctx)
		if err == nil {
			e.log.Info("ClickHouse is ready", zap.String("database", e.opts.Database))
			return
		}
		if ctx.Err() != nil || errors.Is(err, chconn.ErrClosed) {
			return
		}
		if !said {
			e.log.Warn("ClickHouse is not ready", zap.Error(err))
			said = true
		}
		select {
		case <-time.After(prepareEvery):
		case <-ctx.Done():
			return
		}
	}
}
