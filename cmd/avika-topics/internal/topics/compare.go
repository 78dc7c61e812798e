package topics

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
)

// compare reports how a topic differs, after it has changed what it may.
func compare(ctx context.Context, admin *kadm.Client, name string, d kadm.TopicDetail, w Wanted, alter bool) (Topic, error) {
	changed := false
	t := Topic{Name: name}
	if have := len(d.Partitions); have != w.Partitions {
		t.differs("partitions", have, w.Partitions)
		if alter && have < w.Partitions {
			if err := grow(ctx, admin, name, w.Partitions); err != nil {
				return t, err
			}
			t.Differences, changed = nil, true
		}
	}
	if have := d.Partitions.NumReplicas(); w.Replication > 0 && have != w.Replication {
		t.differs("replication factor", have, w.Replication)
	}
	other, err := otherConfig(ctx, admin, name, w.Config)
	if err != nil {
		return t, err
	}
	if alter && len(other) > 0 {
		if err := setConfig(ctx, admin, name, other, w.Config); err != nil {
			return t, err
		}
		other, changed = nil, true
	}
	for _, key := range slices.Sorted(maps.Keys(other)) {
		t.differs(key, other[key], w.Config[key])
	}
	switch {
	case len(t.Differences) > 0:
		t.State = Differs
	case changed:
		t.State = Changed
	default:
		t.State = AsWanted
	}
	return t, nil
}

func (t *Topic) differs(what string, have, want any) {
	t.Differences = append(t.Differences, fmt.Sprintf("%s %v, wanted %v", what, have, want))
}

// otherConfig is what the topic has where it is not what is wanted.
func otherConfig(ctx context.Context, admin *kadm.Client, name string, want map[string]string) (map[string]string, error) {
	all, err := admin.DescribeTopicConfigs(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	rc, err := all.On(name, nil)
	if err == nil {
		err = rc.Err
	}
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	have := map[string]string{}
	for _, c := range rc.Configs {
		have[c.Key] = c.MaybeValue()
	}
	other := map[string]string{}
	for key, value := range want {
		if have[key] != value {
			other[key] = have[key]
		}
	}
	return other, nil
}

func grow(ctx context.Context, admin *kadm.Client, name string, partitions int) error {
	answers, err := admin.UpdatePartitions(ctx, partitions, name)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		return fmt.Errorf("add partitions: %w", err)
	}
	return nil
}

func setConfig(ctx context.Context, admin *kadm.Client, name string, other, want map[string]string) error {
	var changes []kadm.AlterConfig
	for key := range other {
		value := want[key]
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: &value})
	}
	answers, err := admin.AlterTopicConfigs(ctx, changes, name)
	if err != nil {
		return fmt.Errorf("change settings: %w", err)
	}
	for _, a := range answers {
		if a.Err != nil {
			return fmt.Errorf("change settings: %w %s", a.Err, a.ErrMessage)
		}
	}
	return nil
}
