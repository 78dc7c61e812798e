package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/avika-ai/avika-collector/tests/bench/internal/otlpload"
)

// StartOTLP starts this program again, so that the load's CPU time is its own.
func StartOTLP(cfg otlpload.Config) (*Generator, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	b, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	return Start("otlpload", self, OTLPCommand, string(b))
}

// OTLPCommand is the command of this program that sends a load; the configuration is its argument, as JSON.
const OTLPCommand = "otlp-load"

// RunOTLPCommand is that command.
func RunOTLPCommand(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("want the configuration as JSON")
	}
	var cfg otlpload.Config
	if err := json.Unmarshal([]byte(args[0]), &cfg); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	report, err := otlpload.Run(ctx, cfg)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}
