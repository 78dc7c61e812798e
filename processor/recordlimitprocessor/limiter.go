package recordlimitprocessor

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/avika-ai/avika-collector/internal/deadletter"
	"github.com/avika-ai/avika-collector/processor/recordlimitprocessor/internal/metadata"
)

// limiter takes out what is too large. A batch that is within the limit is measured as a whole and not looked into.
type limiter struct {
	max       int
	dir       string
	signal    string
	attrs     metric.MeasurementOption
	log       *zap.Logger
	telemetry *metadata.TelemetryBuilder
}

// frame is more than the lengths and tags around an item, its scope and its resource take.
const frame = 64

func newLimiter(set processor.Settings, c *Config, signal string) (*limiter, error) {
	builder, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	return &limiter{
		max: c.MaxBytes, dir: c.DeadLetter.Directory, signal: signal, log: set.Logger, telemetry: builder,
		attrs: metric.WithAttributeSet(attribute.NewSet(attribute.String("signal", signal))),
	}, err
}

func (l *limiter) shutdown(context.Context) error {
	l.telemetry.Shutdown()
	return nil
}

// tooLarge tells whether an item does not fit beside what must go with it.
func (l *limiter) tooLarge(item, around int) bool { return item+around+frame > l.max }

// found collects the first error of items that could not be kept aside.
type found struct {
	*limiter
	ctx     context.Context
	refused int
	err     error
}

// keep puts one item aside, as a message of its own. It returns false when it could not.
func (f *found) keep(message []byte, err error) bool {
	path := ""
	if err == nil {
		path, err = deadletter.Keep(f.dir, message, deadletter.Letter{
			Signal: f.signal, Items: 1, Cause: fmt.Sprintf("larger than record_limit.max_bytes, %d", f.max),
		})
	}
	if err != nil {
		f.telemetry.ProcessorRecordLimitRefused.Add(f.ctx, 1, f.attrs)
		f.refused, f.err = f.refused+1, err
		return false
	}
	f.telemetry.ProcessorRecordLimitDeadLettered.Add(f.ctx, 1, f.attrs)
	f.log.Error("Telemetry is too large for a message: it is in the dead-letter folder",
		zap.String("signal", f.signal), zap.Int("bytes", len(message)), zap.Int("max_bytes", f.max), zap.String("file", path))
	return true
}

// outcome refuses the whole batch when an item is neither small enough nor kept: nobody may believe that it is safe. Without a folder no
// retry helps; else there may be room later.
func (f *found) outcome() error {
	if f.refused == 0 {
		return nil
	}
	err := fmt.Errorf("%d items are larger than record_limit.max_bytes, %d, and are not kept aside: %w", f.refused, f.max, f.err)
	if f.dir == "" {
		return consumererror.NewPermanent(err)
	}
	return err
}
