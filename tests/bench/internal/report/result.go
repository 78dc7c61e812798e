// Package report is the result of a scenario, and how people and programs read it.
package report

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/avika-ai/avika-collector/tests/bench/internal/count"
)

// Result of one scenario.
type Result struct {
	Name     string    `json:"name"`
	Command  string    `json:"command"` // that repeats it
	Began    time.Time `json:"began"`
	Machine  Machine   `json:"machine"`
	Versions Versions  `json:"versions"`
	Settings any       `json:"settings"`

	SendSeconds   float64 `json:"send_seconds"`   // from the first row until everything was handed over
	StoredSeconds float64 `json:"stored_seconds"` // until everything was there to be queried
	RowsPerSecond float64 `json:"rows_per_second"`

	Rows    count.Rows    `json:"rows"`
	Spans   *count.Spans  `json:"spans,omitempty"`
	Samples Samples       `json:"samples"`
	Ages    *count.Ages   `json:"age_seconds,omitempty"`
	Inserts count.Inserts `json:"inserts"`

	Others float64 `json:"other_programs_cores"` // of the machine, meanwhile
	Stolen float64 `json:"stolen_cores"`         // by its host

	Processes []Process         `json:"processes"`
	Parts     Range             `json:"active_parts"`
	Growth    []Growth          `json:"growth"`
	Errors    map[string]uint64 `json:"errors"` // what went wrong, by metric; empty when nothing did
	Notes     []string          `json:"notes,omitempty"`

	Series []Sample `json:"series"`
}

// Samples are the metrics of agents, each a row of nginx_metrics.
type Samples struct {
	Sent   uint64 `json:"sent"`
	Stored uint64 `json:"stored"`
}

// Process is what one process used from the first row until everything was stored; ClickHouse some seconds longer, so
// that merges count.
type Process struct {
	Name         string  `json:"name"`
	CPUSeconds   float64 `json:"cpu_seconds"`
	Cores        float64 `json:"cores"` // CPU seconds by seconds of sending
	RowsPerCPU   float64 `json:"rows_per_cpu_second"`
	MicrosPerRow float64 `json:"micros_per_row"`
	PeakRSS      int64   `json:"peak_rss_bytes"`
	PeakAnon     int64   `json:"peak_anonymous_bytes,omitempty"` // without mapped files, highest sample
}

// Range of a value over the samples.
type Range struct {
	Min uint64 `json:"min"`
	Max uint64 `json:"max"`
	End uint64 `json:"end"`
}

// Growth compares two fifths of the time: the second one and the last one.
type Growth struct {
	Of    string  `json:"of"`
	Early float64 `json:"early"`
	Late  float64 `json:"late"`
}

// Sample is one look during the run.
type Sample struct {
	Seconds float64            `json:"s"`
	Stored  uint64             `json:"stored"`
	Parts   uint64             `json:"parts"`
	RSS     map[string]int64   `json:"rss"`
	Anon    map[string]int64   `json:"anon"` // without mapped files; of gateways
	CPU     map[string]float64 `json:"cpu"`  // seconds so far
	// Routines of a gateway are read less often, for that costs the gateway something; 0 between.
	Routines map[string]uint64 `json:"routines,omitempty"`
}

// WriteJSON writes results into a file.
func WriteJSON(path string, results any) error {
	b, err := json.MarshalIndent(results, "", " ")
	if err == nil {
		err = os.WriteFile(path, append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
