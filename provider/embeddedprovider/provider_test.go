package embeddedprovider

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

func newProvider() confmap.Provider {
	return NewFactory().Create(confmaptest.NewNopProviderSettings())
}

func TestSchemeIsValid(t *testing.T) {
	require.NoError(t, confmaptest.ValidateProviderScheme(newProvider()))
}

func TestRetrieveReturnsTheShippedFile(t *testing.T) {
	files, err := filepath.Glob("../../distributions/avika-gateway/config/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := filepath.Base(file[:len(file)-len(".yaml")])
		t.Run(name, func(t *testing.T) {
			retrieved, err := newProvider().Retrieve(t.Context(), "embedded:"+name, nil)
			require.NoError(t, err)
			got, err := retrieved.AsConf()
			require.NoError(t, err)
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			wanted, err := confmap.NewRetrievedFromYAML(want)
			require.NoError(t, err)
			conf, err := wanted.AsConf()
			require.NoError(t, err)
			assert.Equal(t, conf.ToStringMap(), got.ToStringMap())
		})
	}
}

func TestRetrieveNamesWhatThereIs(t *testing.T) {
	_, err := newProvider().Retrieve(t.Context(), "embedded:nosuch", nil)
	assert.ErrorContains(t, err, `no embedded configuration "nosuch"`)
	assert.ErrorContains(t, err, "quickstart")
}

func TestRetrieveRefusesOtherFolders(t *testing.T) {
	_, err := newProvider().Retrieve(t.Context(), "embedded:../config/quickstart", nil)
	assert.ErrorContains(t, err, "no embedded configuration")
}

func TestRetrieveRefusesOtherSchemes(t *testing.T) {
	_, err := newProvider().Retrieve(t.Context(), "file:quickstart", nil)
	assert.ErrorContains(t, err, `not a URI of the "embedded" provider`)
}

func TestShutdown(t *testing.T) {
	require.NoError(t, newProvider().Shutdown(t.Context()))
}
