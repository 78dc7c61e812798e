package recordlimitprocessor

import (
	"context"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/collector/consumer/consumererror"
)

// guard stands before an exporter that drops what brokers refuse for good, such as without the right to write. An exporter may take apart
// what it is given, so it gets a copy until it has taken something: then what it refuses is still whole, and its sender can try again.
// What is under way when an exporter begins to refuse is lost, and its sender is told so.
type guard[T any] struct {
	*limiter
	next    func(context.Context, T) error
	copyOf  func(T) T
	trusted atomic.Bool
}

// consume passes data on. An error is final only when the data may not be whole any more.
func (g *guard[T]) consume(ctx context.Context, data T) error {
	if g.trusted.Load() {
		err := g.next(ctx, data)
		if consumererror.IsPermanent(err) {
			g.trusted.Store(false)
			g.telemetry.ProcessorRecordLimitRejected.Add(ctx, 1, g.attrs)
		}
		return err
	}
	err := g.next(ctx, g.copyOf(data))
	switch {
	case err == nil:
		g.trusted.Store(true)
	case consumererror.IsPermanent(err):
		g.telemetry.ProcessorRecordLimitRejected.Add(ctx, 1, g.attrs)
		return fmt.Errorf("the exporter refuses everything until its brokers' settings are put right: %v", err) //nolint:errorlint // it is not final
	}
	return err
}
