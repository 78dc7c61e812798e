// Package embeddedprovider is a confmap provider that reads the configurations built into otelcol-avika:
// `--config embedded:quickstart` is the file distributions/avika-gateway/config/quickstart.yaml.
package embeddedprovider

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"go.opentelemetry.io/collector/confmap"

	"github.com/avika-ai/avika-collector/distributions/avika-gateway/config"
)

const scheme = "embedded"

type provider struct {
	files fs.FS
}

// NewFactory returns the factory of the "embedded" provider.
func NewFactory() confmap.ProviderFactory {
	return confmap.NewProviderFactory(func(confmap.ProviderSettings) confmap.Provider {
		return provider{files: config.Files}
	})
}

// Retrieve returns the configuration that uri ("embedded:<name>") names, or an error that lists those there are.
func (p provider) Retrieve(_ context.Context, uri string, _ confmap.WatcherFunc) (*confmap.Retrieved, error) {
	name, found := strings.CutPrefix(uri, scheme+":")
	if !found {
		return nil, fmt.Errorf("%q is not a URI of the %q provider", uri, scheme)
	}
	content, err := fs.ReadFile(p.files, name+".yaml")
	if err != nil {
		return nil, fmt.Errorf("no embedded configuration %q; there are: %s", name, strings.Join(p.names(), ", "))
	}
	return confmap.NewRetrievedFromYAML(content)
}

func (provider) Scheme() string { return scheme }

func (provider) Shutdown(context.Context) error { return nil }

func (p provider) names() []string {
	files, _ := fs.Glob(p.files, "*.yaml") // the pattern is well-formed, the only error Glob knows
	for i, file := range files {
		files[i] = strings.TrimSuffix(path.Base(file), ".yaml")
	}
	return files
}
