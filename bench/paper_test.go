package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tinyScale is as small as can be: for what does not depend on what comes out.
var tinyScale = paperScale{
	reconcile: scale{nodes: 6, keys: 8, budget: 5},
	control:   []scale{{nodes: 4, keys: 8, budget: 5}, {nodes: 6, keys: 8, budget: 5}},
	spread:    []int{3, 5},
	seeds:     2,
}

// tiny runs everything and returns what it printed and wrote.
func tiny(t *testing.T) (stdout string, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	var out, progress bytes.Buffer
	p := &paper{paperOptions: paperOptions{out: dir, seed: 1, quick: true}, paperScale: tinyScale}
	if err := p.run(t.Context(), &out, &progress); err != nil {
		t.Fatalf("%v, stderr\n%s", err, &progress)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files = make(map[string]string)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return out.String(), files
}

// TestPaper runs everything, tiny: the same seed gives the same bytes, and all figures
// are there, over the whole time.
func TestPaper(t *testing.T) {
	stdout, files := tiny(t)
	again, same := tiny(t)
	if stdout != again {
		t.Errorf("two runs of one seed print\n%s\nand\n%s", stdout, again)
	}
	for _, tt := range []struct {
		name, head, last string // of the CSV: the first line, the first cell of the last one
		seconds          int
	}{
		{"reconcile-stale", "t,precise-newest,precise-oldest,depth,breadth,span,hybrid", "150", 151},
		{"reconcile-staleness", "t,precise-newest,precise-oldest,depth,breadth,span,hybrid", "150", 151},
		{"skewed-stale", "t,depth,breadth,span,hybrid", "150", 151},
		{"skewed-staleness", "t,depth,breadth,span,hybrid", "150", 151},
		{"control-rate-4", `t,AIMD,"quota, random partners",quota,capacity`, "180", 181},
		{"control-staleness-4", `t,AIMD,"quota, random partners",quota`, "180", 181},
		{"control-rate-6", `t,AIMD,"quota, random partners",quota,capacity`, "180", 181},
		{"control-staleness-6", `t,AIMD,"quota, random partners",quota`, "180", 181},
		{"control-modest", `t,"greedy, mean","greedy, lowest","greedy, highest","modest, mean","modest, lowest"`, "180", 181},
		{"spread", "nodes,median,lower quartile,upper quartile,0.81·ln N + 0.6", "5", 2},
	} {
		for _, ext := range []string{".csv", ".svg", ".png"} {
			name := tt.name + ext
			if files[name] == "" || files[name] != same[name] {
				t.Errorf("%s: %d bytes, and again %d, want the same", name, len(files[name]), len(same[name]))
			}
			delete(files, name)
		}
		lines := strings.Split(strings.TrimSpace(same[tt.name+".csv"]), "\n")
		last, _, _ := strings.Cut(lines[len(lines)-1], ",")
		if lines[0] != tt.head || last != tt.last || len(lines) != tt.seconds+1 {
			t.Errorf("%s.csv: %d lines, from %q to %q; want %d, %q, %q", tt.name, len(lines), lines[0], last, tt.seconds+1, tt.head, tt.last)
		}
	}
	if len(files) > 0 {
		t.Errorf("%d more files", len(files))
	}
	for _, want := range []string{"Experiment 1: reconciliation", "skewed load", "Experiment 2: flow control", "Half of the participants want", "Spread of one update"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("it does not print %q:\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "NaN") || strings.Count(stdout, "pass  ")+strings.Count(stdout, "short  ") < 8 {
		t.Errorf("it prints NaN, or a target is missing:\n%s", stdout)
	}
}

// The small version meets the targets that hold at any size.
func TestQuick(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	var out, progress bytes.Buffer
	args := []string{"paper", "-quick", "-out", dir}
	if code := run(t.Context(), args, &out, &progress); code != 0 {
		t.Fatalf("bench %q = %d, stderr\n%s", args, code, &progress)
	}
	if stdout := out.String(); strings.Contains(stdout, "short  ") || strings.Count(stdout, "pass  ") < 8 {
		t.Errorf("a target is short or missing:\n%s", stdout)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 30 {
		t.Errorf("%d files, %v, want 30", len(entries), err)
	}
}

// Another seed is another run.
func TestSeeds(t *testing.T) {
	sc := scale{nodes: 6, keys: 8, budget: 5}
	for _, o := range slices.Concat(baselines, orders) {
		var runs []reconciled
		for _, seed := range []int64{1, 1, 2} {
			r, err := o.reconcile(t.Context(), o.name, sc, evenLoad, seed)
			if err != nil {
				t.Fatal(err)
			}
			runs = append(runs, r)
		}
		if !slices.Equal(runs[0].stale.values, runs[1].stale.values) || slices.Equal(runs[0].stale.values, runs[2].stale.values) {
			t.Errorf("%s: # stale with seed 1, 1 and 2:\n%v\n%v\n%v", o.name, runs[0].stale.values, runs[1].stale.values, runs[2].stale.values)
		}
	}
}

// Without -out, -quick leaves what is kept alone.
func TestQuickWritesNothing(t *testing.T) {
	o, err := parsePaper([]string{"-quick"}, t.Output())
	if err != nil || o.out != "" {
		t.Errorf("-quick writes to %q, %v", o.out, err)
	}
	o, err = parsePaper(nil, t.Output())
	if err != nil || o.out == "" || o.seed != 1 {
		t.Errorf("without flags: %+v, %v", o, err)
	}
}

func TestDefaultOut(t *testing.T) {
	t.Chdir(t.TempDir())
	if got := defaultOut(); got != "." {
		t.Errorf("elsewhere figures go to %q, want here", got)
	}
	if err := os.Mkdir("bench", 0o700); err != nil {
		t.Fatal(err)
	}
	if got := defaultOut(); got != "bench/figures" {
		t.Errorf("in the repository figures go to %q", got)
	}
}
