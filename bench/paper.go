package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
)

const paperHelp = `paper runs the paper's experiments on real engines in the simulator, with virtual time.

usage: bench paper [flags]

It prints what was published beside what came out, and says of each target whether
it is met. Figures go into a directory, each as SVG, PNG and CSV; the same seed
writes the same CSV. The whole takes some minutes on two processors.

`

// paperOptions are the command line, checked.
type paperOptions struct {
	out   string // empty: no figures
	seed  int64
	quick bool
}

// paperScale is how large the experiments are.
type paperScale struct {
	reconcile scale
	control   []scale
	spread    []int // numbers of nodes
	seeds     int   // runs for each of them
}

var (
	fullScale = paperScale{
		reconcile: scale{nodes: 128, keys: 64, budget: 100},
		control:   []scale{{nodes: 64, keys: 64, budget: 100}, {nodes: 128, keys: 64, budget: 100}},
		spread:    []int{10, 30, 100, 300, 1000, 3000, 10_000},
		seeds:     15,
	}
	// quickScale has the load per budget of fullScale.
	quickScale = paperScale{
		reconcile: scale{nodes: 24, keys: 64, budget: 18},
		control:   []scale{{nodes: 12, keys: 64, budget: 18}, {nodes: 24, keys: 64, budget: 18}},
		spread:    []int{10, 30, 100},
		seeds:     5,
	}
)

// paper is all that the experiments showed.
type paper struct {
	paperOptions
	paperScale
	even, skewed []reconciled   // by order, as in orders
	controls     [][]controlled // by scale, by controller
	modest       controlled
	times        [][]float64 // of the spread, in seconds, by number of nodes
}

// runPaper is the subcommand.
func runPaper(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parsePaper(args, stdout)
	if err != nil {
		return err
	}
	if o.out != "" {
		if err := prepareOut(o.out); err != nil {
			return usagef("paper: -out: %w", err)
		}
	}
	p := &paper{paperOptions: o, paperScale: fullScale}
	if o.quick {
		p.paperScale = quickScale
	}
	return p.run(ctx, stdout, stderr)
}

// run does everything, draws the figures and prints the tables.
func (p *paper) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := runAll(ctx, p.jobs(), stderr); err != nil {
		return err
	}
	figures := p.figures()
	if p.out != "" {
		for _, f := range figures {
			if err := f.save(p.out); err != nil {
				return err
			}
		}
		fmt.Fprintf(stderr, "%d figures in %s\n", len(figures), filepath.Clean(p.out))
	}
	p.write(stdout)
	return nil
}

// parsePaper reads the command line; help goes to stdout.
func parsePaper(args []string, stdout io.Writer) (paperOptions, error) {
	var o paperOptions
	fs := flag.NewFlagSet("paper", flag.ContinueOnError)
	fs.StringVar(&o.out, "out", "", "`directory` for figures, made if need be (default bench/figures in a checkout of the repository, else the current one; with -quick none)")
	fs.Int64Var(&o.seed, "seed", 1, "of everything random")
	fs.BoolVar(&o.quick, "quick", false, "a small version, of seconds: fewer nodes with the same load, nothing to compare with what was published")
	if err := parse(fs, args, paperHelp, stdout); err != nil {
		return o, err
	}
	given := false
	fs.Visit(func(f *flag.Flag) { given = given || f.Name == "out" })
	switch {
	case given && o.out == "":
		return o, usagef("paper: -out: no directory")
	case !given && !o.quick:
		o.out = defaultOut()
	}
	return o, nil
}

// jobs are all runs, those that take longest first.
func (p *paper) jobs() []job {
	all := slices.Concat(baselines, orders)
	p.even, p.skewed = make([]reconciled, len(all)), make([]reconciled, len(orders))
	p.controls = make([][]controlled, len(p.control))
	p.times = make([][]float64, len(p.spread))
	var jobs []job
	add := func(name string, run func(ctx context.Context) error) { jobs = append(jobs, job{name, run}) }
	for i := len(p.spread) - 1; i >= 0; i-- {
		add(fmt.Sprintf("spread among %d nodes", p.spread[i]), func(ctx context.Context) (err error) {
			p.times[i], err = spreads(ctx, p.spread[i], p.seeds, p.seed)
			return err
		})
	}
	for i, o := range all {
		add("reconcile "+o.name, func(ctx context.Context) (err error) {
			p.even[i], err = o.reconcile(ctx, o.name, p.reconcile, evenLoad, p.seed)
			return err
		})
	}
	for i, o := range orders {
		add("reconcile "+o.name+", skewed", func(ctx context.Context) (err error) {
			p.skewed[i], err = o.reconcile(ctx, o.name, p.reconcile, zipfLoad, p.seed)
			return err
		})
	}
	for i, sc := range p.control {
		p.controls[i] = make([]controlled, len(controllers))
		for j, c := range controllers {
			add(fmt.Sprintf("control %s, N=%d", c.name, sc.nodes), func(ctx context.Context) (err error) {
				p.controls[i][j], err = control(ctx, c.name, sc, p.seed, c.partners, c.make, func(int) float64 { return greedy })
				return err
			})
		}
	}
	large := p.control[len(p.control)-1]
	add("control with modest writers", func(ctx context.Context) (err error) {
		p.modest, err = control(ctx, "quota", large, p.seed, scheduled, controllers[quotaAt].make, func(i int) float64 { return wants(large, i) })
		return err
	})
	return jobs
}

// figures are all figures.
func (p *paper) figures() []figure {
	all := p.reconcileFigures()
	all = append(all, p.controlFigures()...)
	return append(all, p.spreadFigure())
}

// write prints all tables, and what became of the targets.
func (p *paper) write(w io.Writer) {
	fmt.Fprintf(w, "seed %d\n\n", p.seed)
	var targets []target
	for _, part := range []func(io.Writer) []target{p.writeReconcile, p.writeSkewed, p.writeControl, p.writeModest, p.writeSpread} {
		targets = append(targets, part(w)...)
	}
	if p.quick {
		fmt.Fprintln(w, "-quick: a cluster too small for most targets; these hold at any size")
	}
	report(w, targets)
}
