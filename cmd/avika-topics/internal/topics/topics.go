// Package topics compares the topics of a cluster with what is wanted, and creates what is missing.
package topics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Wanted is how all topics should be.
type Wanted struct {
	Topics                  []string
	Partitions, Replication int
	// Config are settings by name.
	Config map[string]string
}

// SetConfig makes the settings of a topic. further is NAME=VALUE, separated by commas.
func (w *Wanted) SetConfig(maxMessageBytes int, retention time.Duration, further string) error {
	w.Config = map[string]string{"max.message.bytes": strconv.Itoa(maxMessageBytes)}
	if maxMessageBytes < 1 {
		return fmt.Errorf("max.message.bytes must be positive, is %d", maxMessageBytes)
	}
	if retention < 0 {
		return fmt.Errorf("retention must not be negative, is %s", retention)
	}
	if retention > 0 {
		w.Config["retention.ms"] = strconv.FormatInt(retention.Milliseconds(), 10)
	}
	for pair := range strings.SplitSeq(further, ",") {
		if pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return fmt.Errorf("setting %q is not NAME=VALUE", pair)
		}
		w.Config[name] = value
	}
	return nil
}

// Mode says what may be changed.
type Mode struct {
	// Check changes nothing.
	Check bool
	// Alter adds partitions to topics that exist, and changes their settings.
	Alter bool
}

// State of a topic after Ensure.
type State string

// States.
const (
	Created  State = "created"
	AsWanted State = "as wanted"
	Missing  State = "missing"
	Changed  State = "changed"
	Differs  State = "differs"
)

// Topic is what was found, or done.
type Topic struct {
	Name  string
	State State
	// Differences say what the topic has and what is wanted.
	Differences []string
}

// String is a line for people.
func (t Topic) String() string {
	line := t.Name + ": " + string(t.State)
	if len(t.Differences) > 0 {
		line += ": " + strings.Join(t.Differences, ", ")
	}
	return line
}

// AnyDifferent tells whether a topic is not as wanted.
func AnyDifferent(found []Topic) bool {
	return slices.ContainsFunc(found, func(t Topic) bool { return t.State == Missing || t.State == Differs })
}

// Ensure creates the topics that are missing and compares the others. What it returns beside an error is what was done before it.
func Ensure(ctx context.Context, admin *kadm.Client, w Wanted, m Mode) ([]Topic, error) {
	details, err := admin.ListTopics(ctx, w.Topics...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var found []Topic
	for _, name := range w.Topics {
		t, err := ensure(ctx, admin, name, details[name], w, m)
		if err == nil && (t.State == Created || t.State == Changed) {
			t, err = visible(ctx, admin, t, w)
		}
		if err != nil {
			return found, fmt.Errorf("topic %s: %w", name, err)
		}
		found = append(found, t)
	}
	return found, nil
}

// visibleWithin bounds how long brokers may take to know what their controller has changed.
const visibleWithin = 10 * time.Second

// visible waits until a change can be seen, so that whoever comes next finds it. What differs even then is reported.
func visible(ctx context.Context, admin *kadm.Client, done Topic, w Wanted) (Topic, error) {
	end := time.Now().Add(visibleWithin)
	for {
		details, err := admin.ListTopics(ctx, done.Name)
		if err != nil {
			return done, fmt.Errorf("look at what was changed: %w", err)
		}
		now, err := ensure(ctx, admin, done.Name, details[done.Name], w, Mode{Check: true})
		switch {
		case err != nil:
			return done, err
		case now.State == AsWanted:
			return done, nil
		case time.Now().After(end):
			return now, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func ensure(ctx context.Context, admin *kadm.Client, name string, d kadm.TopicDetail, w Wanted, m Mode) (Topic, error) {
	switch {
	case errors.Is(d.Err, kerr.UnknownTopicOrPartition) || d.Err == nil && len(d.Partitions) == 0:
		if m.Check {
			return Topic{Name: name, State: Missing}, nil
		}
		return create(ctx, admin, name, w)
	case d.Err != nil:
		return Topic{}, d.Err
	}
	return compare(ctx, admin, name, d, w, m.Alter)
}

func create(ctx context.Context, admin *kadm.Client, name string, w Wanted) (Topic, error) {
	config := map[string]*string{}
	for key, value := range w.Config {
		config[key] = &value
	}
	r, err := admin.CreateTopic(ctx, int32(w.Partitions), int16(w.Replication), config, name) //nolint:gosec // checked with the options
	switch {
	case errors.Is(err, kerr.TopicAlreadyExists): // somebody else was faster
		return Topic{Name: name, State: AsWanted}, nil
	case errors.Is(err, kerr.InvalidReplicationFactor):
		return Topic{}, fmt.Errorf("create with replication factor %d: are there as many brokers? %w (%s)", w.Replication, err, r.ErrMessage)
	case err != nil && r.ErrMessage != "":
		return Topic{}, fmt.Errorf("create: %w (%s)", err, r.ErrMessage)
	case err != nil:
		return Topic{}, fmt.Errorf("create: %w", err)
	}
	return Topic{Name: name, State: Created}, nil
}
