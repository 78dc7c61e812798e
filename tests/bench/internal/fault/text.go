package fault

import (
	"errors"
	"fmt"
	"io"
)

// WriteText prints a verdict for people.
func (v *Verdict) WriteText(w io.Writer) {
	fmt.Fprintf(w, "\nfaults with seed %d: %d\n", v.Seed, len(v.Events))
	for _, e := range v.Events {
		fmt.Fprintf(w, "  %6.1f s  %s, over after %.1f s\n", e.At.Seconds(), e.Fault, e.Ended.Sub(e.Began).Seconds())
	}
	if v.Aborts > 0 {
		fmt.Fprintf(w, "  ClickHouse aborted by itself and was started again: %d times\n", v.Aborts)
	}
	o, a := v.OTLP, v.Avika
	fmt.Fprintf(w, "OTLP      acknowledged %d rows  lost %d  doubled %d   requests sent again %d, of whose rows %d are there twice; never acknowledged %d\n",
		o.Acknowledged, o.Lost, o.Doubled, o.SentAgain, o.DoubledAgain, o.Open)
	fmt.Fprintf(w, "Avika     sent %d rows  stored %d  lost %d  doubled %d   due and not sent %d\n", a.Sent, a.Stored, a.Lost, a.Doubled, a.Unsent)
	for _, e := range a.Ends {
		fmt.Fprintf(w, "  %6.1f s  %s: lost %d rows, the last ones of %d streams, at most %d of one", e.At.Seconds(), e.Fault, e.Lost, e.Streams, e.Most)
		if e.Behind > 0 {
			fmt.Fprintf(w, "; at most %d behind them were safe", e.Behind)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "  lost elsewhere %d\n", a.Elsewhere)
	fmt.Fprintf(w, "spans doubled %d, rollup differs from the rows by %d\n", v.SpansDoubled, v.Rollup)
}

// Swallowed is how many rows ClickHouse took for duplicates though it did not have them: killed in the middle of an
// insert it had written down the insert's token and the part of a view, but not the part of the table (the limit that
// ch_batch's README names). The view has exactly the rows that are lost then. Otherwise 0.
func (v *Verdict) Swallowed() uint64 {
	if lost := v.OTLP.Lost + v.Avika.Elsewhere; v.Rollup > 0 && uint64(v.Rollup) == lost {
		return lost
	}
	return 0
}

// Err says what must not be.
func (v *Verdict) Err() error {
	var errs []error
	must := func(n uint64, what string) {
		if n != 0 {
			errs = append(errs, fmt.Errorf("%d %s", n, what))
		}
	}
	must(v.OTLP.Lost, "acknowledged rows were lost")
	must(v.OTLP.Doubled, "rows were doubled that were sent once")
	must(uint64(v.OTLP.Open), "requests were never acknowledged")
	must(v.Avika.Doubled, "rows of agents were doubled")
	must(v.Avika.Elsewhere, "rows of agents were lost that were not the last ones on a stream when its gateway ended")
	must(v.Avika.Unsent, "rows of agents were due and not sent")
	must(v.SpansDoubled, "spans were doubled")
	if v.Rollup != 0 {
		errs = append(errs, fmt.Errorf("traffic_5min has %+d requests", v.Rollup))
	}
	return errors.Join(errs...)
}
