package otlpencoding

import "go.opentelemetry.io/collector/component"

// Config of the extension.
type Config struct {
	// DeadLetter keeps messages that cannot be read.
	DeadLetter DeadLetterConfig `mapstructure:"dead_letter"`

	// prevent unkeyed literal initialization
	_ struct{}
}

// DeadLetterConfig says where unreadable messages go.
type DeadLetterConfig struct {
	// Directory of the files. When it is not set the receiver gets the error.
	Directory string `mapstructure:"directory"`

	// prevent unkeyed literal initialization
	_ struct{}
}

func createDefaultConfig() component.Config { return &Config{} }
