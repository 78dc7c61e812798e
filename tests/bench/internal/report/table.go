package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// WriteText prints a result for people.
func (r *Result) WriteText(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n  $ %s\n", r.Name, r.Command)
	fmt.Fprintf(w, "  rows      sent %d  stored %d  lost %d  doubled %d   %.0f rows/s, sent in %.1f s, all stored after %.1f s\n",
		r.Rows.Sent, r.Rows.Stored, r.Rows.Lost, r.Rows.Doubled, r.RowsPerSecond, r.SendSeconds, r.StoredSeconds)
	if r.Spans != nil {
		fmt.Fprintf(w, "  spans     stored %d  doubled %d  of requests %d\n", r.Spans.Stored, r.Spans.Stored-r.Spans.Unique, r.Spans.Servers)
	}
	if r.Samples.Sent > 0 {
		fmt.Fprintf(w, "  samples   sent %d  stored %d\n", r.Samples.Sent, r.Samples.Stored)
	}
	if r.Ages != nil {
		fmt.Fprintf(w, "  age       p50 %.3f s  p90 %.3f s  p99 %.3f s  max %.3f s  (%d rows)\n",
			r.Ages.P50, r.Ages.P90, r.Ages.P99, r.Ages.Max, r.Ages.Rows)
	}
	if i := r.Inserts; i.Count > 0 {
		fmt.Fprintf(w, "  inserts   %d, rows p50 %.0f, mean %.0f, max %d; part made in %.0f ms (p99 %.0f); %d merges; active parts max %d, at the end %d\n",
			i.Count, i.RowsP50, i.RowsAvg, i.RowsMax, i.MsP50, i.MsP99, i.Merges, r.Parts.Max, r.Parts.End)
	}
	for _, p := range r.Processes {
		fmt.Fprintf(w, "  %-12s CPU %7.2f s = %.2f core  %9.0f rows/CPU-s  %6.2f µs/row  peak RSS %5.0f MiB",
			p.Name, p.CPUSeconds, p.Cores, p.RowsPerCPU, p.MicrosPerRow, float64(p.PeakRSS)/(1<<20))
		if p.PeakAnon > 0 {
			fmt.Fprintf(w, ", of which %.0f not mapped files", float64(p.PeakAnon)/(1<<20))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  machine   other programs %.2f core, stolen by the host %.2f core\n", r.Others, r.Stolen)
	for _, g := range r.Growth {
		fmt.Fprintf(w, "  growth    %s: %.0f in the second fifth, %.0f in the last\n", g.Of, g.Early, g.Late)
	}
	fmt.Fprintf(w, "  errors    %s\n", listed(r.Errors))
	for _, n := range r.Notes {
		fmt.Fprintf(w, "  note      %s\n", n)
	}
}

func listed(m map[string]uint64) string {
	if len(m) == 0 {
		return "none"
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(parts, ", ")
}

// WriteHead prints what all results of a run share.
func (r *Result) WriteHead(w io.Writer) {
	fmt.Fprintf(w, "machine   %d × %s, %.0f GiB, %s, load before %s, a file made in %.0f µs\n", r.Machine.Cores, r.Machine.CPU, r.Machine.MemoryGiB, r.Machine.Kernel, r.Machine.Load, r.Machine.FileUS)
	fmt.Fprintf(w, "versions  commit %s, %s, %s, ClickHouse %s, %s\n", r.Versions.Commit, r.Versions.Gateway, r.Versions.Go, r.Versions.ClickHouse, r.Versions.Postgres)
}

// WriteSummary prints a line for each result, as Markdown.
func WriteSummary(w io.Writer, results []Result) {
	fmt.Fprintln(w, "| scenario | rows/s | lost | doubled | age p50, p99 (s) | gateway core | gateway rows/CPU-s | gateway peak MiB | ClickHouse core | parts max |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
	for i := range results {
		r := &results[i]
		subject, server := r.subject(), r.named("ClickHouse")
		ages := "–"
		if r.Ages != nil {
			ages = fmt.Sprintf("%.2f, %.2f", r.Ages.P50, r.Ages.P99)
		}
		fmt.Fprintf(w, "| %s | %.0f | %d | %d | %s | %.2f | %.0f | %.0f | %.2f | %d |\n", r.Name, r.RowsPerSecond, r.Rows.Lost,
			r.Rows.Doubled, ages, subject.Cores, subject.RowsPerCPU, float64(subject.PeakRSS)/(1<<20), server.Cores, r.Parts.Max)
	}
}

// subject adds up the processes that are measured: they come before ClickHouse. The peak is the highest one.
func (r *Result) subject() (sum Process) {
	for _, p := range r.Processes {
		if p.Name == "ClickHouse" {
			break
		}
		sum.Name = p.Name
		sum.CPUSeconds += p.CPUSeconds
		sum.Cores += p.Cores
		sum.PeakRSS = max(sum.PeakRSS, p.PeakRSS)
	}
	if sum.CPUSeconds > 0 {
		sum.RowsPerCPU = float64(r.Rows.Stored) / sum.CPUSeconds
	}
	return sum
}

func (r *Result) named(name string) Process {
	for _, p := range r.Processes {
		if p.Name == name {
			return p
		}
	}
	return Process{}
}
