package agentregistry

import (
	"runtime/debug"

	"go.opentelemetry.io/collector/component"

	"github.com/avika-ai/avika-collector/internal/buildinfo"
)

// build says which build is running.
type build struct {
	version, commit, date string
}

// buildOf prefers what the linker was told, then what the collector knows, then what Go recorded.
func buildOf(info component.BuildInfo) build {
	b := build{version: buildinfo.Version, commit: buildinfo.Commit, date: buildinfo.Date}
	if unknown(b.version) && info.Version != "" {
		b.version = info.Version
	}
	recorded, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, setting := range recorded.Settings {
		if setting.Key == "vcs.revision" && unknown(b.commit) {
			b.commit = setting.Value
		}
		if setting.Key == "vcs.time" && unknown(b.date) {
			b.date = setting.Value
		}
	}
	return b
}

func unknown(text string) bool { return text == "" || text == "unknown" }
