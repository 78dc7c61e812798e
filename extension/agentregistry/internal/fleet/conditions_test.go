package fleet

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/avika-ai/avika-collector/extension/agentregistry/agentsession"
	"github.com/avika-ai/avika-collector/proto/agentv1"
)

func TestAnAgentThatComesAndGoesIsFlapping(t *testing.T) {
	t.Parallel()
	s := shared(t)
	one, two := run(t, s, quick("one")), run(t, s, quick("two"))
	calm := connect(t, one, "calm")
	beat(calm, "1.110")
	for i := range flapOpens {
		assert.Zero(t, one.Conditions().Flapping, "after %d sessions", i)
		session := connect(t, one, "restless")
		eventually(t, two, "restless", "online", online)
		session.Close()
		eventually(t, two, "restless", "offline", offline)
	}
	assert.Equal(t, 1, one.Conditions().Flapping)
	assert.Equal(t, 1, two.Conditions().Flapping, "as another gateway sees it")
}

func TestFlappingEnds(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var o opens
	for range flapOpens {
		o.add(now)
	}
	assert.True(t, o.flapping(now.Add(flapWindow-time.Second)))
	assert.False(t, o.flapping(now.Add(flapWindow)))
}

func TestEarliestCertificateOfOnlineAgents(t *testing.T) {
	t.Parallel()
	const first, second = 1_900_000_000, 1_900_000_001
	f := run(t, shared(t), quick("one"))
	expires := func(at int64) func() bool {
		return func() bool { return f.Conditions().CertificateExpires.Equal(time.Unix(at, 0)) }
	}
	assert.True(t, f.Conditions().CertificateExpires.IsZero())
	certified(t, f, "later", second)
	require.Eventually(t, expires(second), soon, tick)
	gone := certified(t, f, "soon", first)
	require.Eventually(t, expires(first), soon, tick)
	gone.Close()
	require.Eventually(t, expires(second), soon, tick, "an agent that is gone counts no more")
}

func certified(t *testing.T, f *Fleet, id string, expires int64) agentsession.Session {
	t.Helper()
	session := connect(t, f, id)
	session.State(time.Now(), &agentv1.StateSnapshot{ConfigHash: "h", ConfigHashes: &agentv1.ConfigHashes{
		Certificates: []*agentv1.CertHashInfo{{Domain: id, CertPath: "/etc/ssl/" + id, CertHash: "c", ExpiryTimestamp: expires}},
	}})
	return session
}
