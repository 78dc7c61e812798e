package kafkalag

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"go.uber.org/zap"
)

// deletion of what the group has read. Every writer asks for it; brokers take it as often as it comes.
type deletion struct {
	*observer
	failing bool
}

func (d *deletion) run(ctx context.Context, lag kadm.GroupLag) {
	asking, cancel := context.WithTimeout(ctx, d.cfg.Interval)
	defer cancel()
	answers, err := kadm.NewClient(d.client).DeleteRecords(asking, read(lag))
	err = errors.Join(err, answers.Error())
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		d.telemetry.ExtensionKafkaLagDeleteFailures.Add(ctx, 1)
		if !d.failing {
			d.set.Logger.Warn("The brokers do not delete what was read", zap.String("group_id", d.cfg.Group), zap.Error(err))
		}
	}
	d.failing = err != nil
}

// read are the offsets below which the group needs nothing any more, where there is something to delete. An offset beyond the end is that of
// a topic that was made anew.
func read(lag kadm.GroupLag) kadm.Offsets {
	var offsets kadm.Offsets
	for _, m := range lag.Sorted() {
		if m.Err == nil && m.Start.Err == nil && m.Commit.At > m.Start.Offset && m.Commit.At <= m.End.Offset {
			offsets.AddOffset(m.Topic, m.Partition, m.Commit.At, -1)
		}
	}
	return offsets
}
