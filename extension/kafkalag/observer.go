package kafkalag

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/extension/kafkalag/internal/metadata"
	"github.com/avika-ai/avika-collector/internal/kafkaclient"
)

// observer asks the brokers at an interval. They need not be there.
type observer struct {
	cfg *Config
	set extension.Settings

	client    *kgo.Client
	telemetry *metadata.TelemetryBuilder
	cancel    context.CancelFunc
	asking    sync.WaitGroup

	mu sync.Mutex
	// lag by partition as it was told last; empty while it is not known.
	lag map[partition]int64
}

type partition struct {
	topic  string
	number int32
}

// Start connects in the background.
func (o *observer) Start(ctx context.Context, _ component.Host) error {
	opts, err := kafkaclient.Options(ctx, o.cfg.SASL, o.cfg.TLS)
	if err != nil {
		return err
	}
	opts = append(opts, kgo.SeedBrokers(o.cfg.Brokers...), kgo.ClientID("avika-lag"), kgo.DisableClientMetrics())
	if o.client, err = kgo.NewClient(opts...); err != nil {
		return err
	}
	if o.telemetry, err = metadata.NewTelemetryBuilder(o.set.TelemetrySettings); err != nil {
		o.client.Close()
		return err
	}
	if err := o.telemetry.RegisterExtensionKafkaLagRecordsCallback(o.observe); err != nil {
		return err
	}
	life, cancel := context.WithCancel(context.Background())
	o.cancel = cancel
	o.asking.Go(func() { o.run(life) })
	return nil
}

// Shutdown may be called twice, and without Start.
func (o *observer) Shutdown(context.Context) error {
	if o.cancel == nil {
		return nil
	}
	o.cancel()
	o.asking.Wait()
	o.client.Close()
	o.telemetry.Shutdown()
	return nil
}

func (o *observer) run(ctx context.Context) {
	tick := time.NewTicker(o.cfg.Interval)
	defer tick.Stop()
	failing, deleting := false, deletion{observer: o}
	for {
		lag, err := o.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			o.telemetry.ExtensionKafkaLagFailures.Add(ctx, 1)
			if !failing {
				o.set.Logger.Warn("The brokers do not tell the lag", zap.String("group_id", o.cfg.Group), zap.Error(err))
			}
		}
		failing = err != nil
		o.know(lag)
		if o.cfg.DeleteRead {
			deleting.run(ctx, lag)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// ask returns nothing beside an error: what is not known must not look like what was known once.
func (o *observer) ask(ctx context.Context) (kadm.GroupLag, error) {
	ctx, cancel := context.WithTimeout(ctx, o.cfg.Interval)
	defer cancel()
	groups, err := kadm.NewClient(o.client).Lag(ctx, o.cfg.Group)
	if err != nil {
		return nil, err
	}
	group := groups[o.cfg.Group]
	if err := group.Error(); err != nil {
		return nil, err
	}
	for _, m := range group.Lag.Sorted() {
		if m.Err != nil {
			return nil, fmt.Errorf("partition %d of %s: %w", m.Partition, m.Topic, m.Err)
		}
	}
	return group.Lag, nil
}

func (o *observer) know(told kadm.GroupLag) {
	lag := map[partition]int64{}
	for _, m := range told.Sorted() {
		lag[partition{m.Topic, m.Partition}] = m.Lag
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lag = lag
}

func (o *observer) observe(_ context.Context, to metric.Int64Observer) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for p, lag := range o.lag {
		to.Observe(lag, metric.WithAttributeSet(attribute.NewSet(
			attribute.String("topic", p.topic), attribute.Int64("partition", int64(p.number)))))
	}
	return nil
}
