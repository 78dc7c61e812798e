package kafkalag

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/twmb/franz-go/pkg/kadm"
)

// Deleting itself is tested on a broker, in tests/kafka.
func TestReadIsWhatWasCommittedAndIsThere(t *testing.T) {
	member := func(start, commit, end int64, startErr error) kadm.GroupMemberLag {
		return kadm.GroupMemberLag{
			Topic: "logs", Commit: kadm.Offset{At: commit}, End: kadm.ListedOffset{Offset: end},
			Start: kadm.ListedOffset{Offset: start, Err: startErr},
		}
	}
	for name, test := range map[string]struct {
		member kadm.GroupMemberLag
		want   int64
	}{
		"some of it":     {member(10, 20, 30, nil), 20},
		"all":            {member(10, 30, 30, nil), 30},
		"never read":     {member(0, -1, 30, nil), -1},
		"deleted before": {member(20, 20, 30, nil), -1},
		"a new topic":    {member(0, 20, 5, nil), -1},
		"start unknown":  {member(0, 20, 30, errors.New("no answer")), -1},
	} {
		t.Run(name, func(t *testing.T) {
			offset, is := read(kadm.GroupLag{"logs": {0: test.member}}).Lookup("logs", 0)
			assert.Equal(t, test.want >= 0, is)
			if is {
				assert.Equal(t, test.want, offset.At)
			}
		})
	}
}
