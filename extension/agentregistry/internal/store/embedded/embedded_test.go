package embedded

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store"
	"github.com/avika-ai/avika-collector/extension/agentregistry/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	storetest.Run(t, true, func(*testing.T) store.Store { return New() })
}
