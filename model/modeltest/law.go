package modeltest

import (
	"fmt"
	"strings"
)

// Law names a law of models.
type Law string

// The laws. Package model and this package's guide explain them.
const (
	Convergence  Law = "convergence"  // the value follows from the set of retained updates, in whatever order they came
	Truncation   Law = "truncation"   // it does so, too, when of each replica only a prefix is known
	Supersession Law = "supersession" // dropping a superseded update never shows, and Apply reports just what Supersedes says
	StrictOrder  Law = "strict order" // Supersedes is a strict partial order of updates, the same wherever it is asked
	Idempotence  Law = "idempotence"  // applying an update again changes nothing
	Removal      Law = "removal"      // Discard undoes one update; a removed tombstone does not show
	Expiry       Law = "expiry"       // what has expired does not show, nor does its removal
	Verification Law = "verification" // Verify tells what is retained from what is not
	Determinism  Law = "determinism"  // the same calls have the same results
	Immutability Law = "immutability" // nobody writes into an update
	Writing      Law = "writing"      // a local write succeeds, and shows at its writer at once
	Locking      Law = "locking"      // a handle uses its host as model.Host says
	Totality     Law = "totality"     // no sequence of updates makes the model panic
)

// Failure is a broken law, and the smallest history found that breaks it.
type Failure struct {
	Law     Law
	Seed    uint64   // Config.Seed with Cases: 1 runs the case again
	History []string // what happened before, a line per step
	Detail  string   // what was seen, and what the law demands

	steps int    // how many the case had before it was shrunk
	rerun func() // panics as the model did; nil if it did not
}

// Error returns a report of several lines.
func (f *Failure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "modeltest: the model breaks the law of %s\n", f.Law)
	for line := range strings.SplitSeq(f.Detail, "\n") {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	fmt.Fprintf(&b, "history of seed %d, shrunk from %d steps:", f.Seed, f.steps)
	if len(f.History) == 0 {
		b.WriteString("\n  nothing is needed")
	}
	for i, line := range f.History {
		fmt.Fprintf(&b, "\n  %d. %s", i+1, line)
	}
	return b.String()
}

func failf(law Law, format string, args ...any) *Failure {
	return &Failure{Law: law, Detail: fmt.Sprintf(format, args...)}
}

// show formats a value for a report.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	default:
		return fmt.Sprintf("%+v", v)
	}
}

// gotWant formats two different values so that the difference shows.
func gotWant(got, want any) string {
	g, w := show(got), show(want)
	if g == w {
		g, w = fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", want)
	}
	return fmt.Sprintf("got  %s\nwant %s", g, w)
}
