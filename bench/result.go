package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
)

// result is what one run of one case showed of one system. Fields that the case
// does not measure are NaN, or zero where they count.
type result struct {
	Case      string `json:"case"`
	System    string `json:"system"`
	Run       int    `json:"run"` // from 1
	Nodes     int    `json:"nodes"`
	N         int    `json:"n"`          // keys: in all for limit and catchup, else of each node
	Asked     number `json:"asked_rate"` // writes per second of all nodes, as asked for
	Rate      number `json:"rate"`       // the same, as it was; records per second for limit and catchup
	Seconds   number `json:"seconds"`    // how long what is measured took
	P50       number `json:"p50_ms"`     // from a write until it is visible on all nodes
	P99       number `json:"p99_ms"`
	Bytes     number `json:"bytes"`         // sent on sockets, by all nodes
	Payload   number `json:"payload_bytes"` // of it the application's, before the transport's overhead
	CPU       number `json:"cpu_s"`         // of the whole process
	Heap      number `json:"heap_bytes"`    // by how much the heap grew at most
	Converged bool   `json:"converged"`     // all that was written is visible on all nodes
}

// number is a value that may be missing: NaN is null in JSON, and so is infinity.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// none is what was not measured.
var none = number(math.NaN())

// newResult returns a result that has measured nothing yet.
func newResult(name, system string, run, nodes, n int) result {
	return result{
		Case: name, System: system, Run: run, Nodes: nodes, N: n,
		Asked: none, Rate: none, Seconds: none, P50: none, P99: none, Bytes: none, Payload: none, CPU: none, Heap: none,
	}
}

// column is one of a table of results.
type column struct {
	head     string
	value    func(result) number
	decimals int
}

// The columns that tables are made of.
var (
	columnAsked     = column{"writes/s asked", func(r result) number { return r.Asked }, 0}
	columnRate      = column{"writes/s", func(r result) number { return r.Rate }, 0}
	columnRecords   = column{"records/s", func(r result) number { return r.Rate }, 0}
	columnSeconds   = column{"seconds", func(r result) number { return r.Seconds }, 4}
	columnP50       = column{"p50 (ms)", func(r result) number { return r.P50 }, 2}
	columnP99       = column{"p99 (ms)", func(r result) number { return r.P99 }, 2}
	columnPerRecord = column{"bytes/record", func(r result) number { return r.Bytes / number(r.N) }, 1}
	columnBytes     = column{"MB sent", func(r result) number { return r.Bytes / 1e6 }, 2}
	columnCPU       = column{"CPU (s)", func(r result) number { return r.CPU }, 2}
	columnHeap      = column{"heap (MB)", func(r result) number { return r.Heap / 1e6 }, 1}
	columnNodeWire  = column{"bytes/s/node", func(r result) number { return r.Bytes / r.Seconds / number(r.Nodes) }, 0}
	columnNodeData  = column{"payload/s/node", func(r result) number { return r.Payload / r.Seconds / number(r.Nodes) }, 0}
	columnNodeCPU   = column{"CPU % of a core/node", func(r result) number { return 100 * r.CPU / r.Seconds / number(r.Nodes) }, 2}
)

// writeTable prints the results of one subcommand for people: a line for each case,
// number of keys and system, with the medians of its runs.
func writeTable(w io.Writer, title string, columns []column, results []result) {
	t := text{title: title, head: []string{"case", "system", "nodes", "keys"}, words: 1}
	for _, c := range columns {
		t.head = append(t.head, c.head)
	}
	t.head = append(t.head, "converged")
	for _, group := range grouped(results) {
		first := group[0]
		row := []string{first.Case, first.System, fixed(float64(first.Nodes), 0), fixed(float64(first.N), 0)}
		for _, c := range columns {
			row = append(row, fixed(medianOf(group, c.value), c.decimals))
		}
		converged := 0
		for _, r := range group {
			if r.Converged {
				converged++
			}
		}
		t.add(append(row, fmt.Sprintf("%d of %d", converged, len(group)))...)
	}
	t.write(w)
}

// grouped returns the results of the same case, system and number of keys together,
// in the order in which each came first.
func grouped(results []result) [][]result {
	type key struct {
		name, system string
		nodes, n     int
	}
	var order []key
	groups := map[key][]result{}
	for _, r := range results {
		k := key{r.Case, r.System, r.Nodes, r.N}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], r)
	}
	var all [][]result
	for _, k := range order {
		all = append(all, groups[k])
	}
	return all
}

// medianOf is the median of a value over results that have it, NaN if none has.
func medianOf(results []result, value func(result) number) float64 {
	var values []float64
	for _, r := range results {
		if v := float64(value(r)); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	return quantile(values, 0.5)
}

// ratio is the median over runs of how long one system took to how long another did
// in the same run, NaN when no run has both.
func ratio(results []result, name, system, other string) float64 {
	took := func(system string, run int) float64 {
		i := slices.IndexFunc(results, func(r result) bool {
			return r.Case == name && r.System == system && r.Run == run && r.Converged
		})
		if i < 0 {
			return math.NaN()
		}
		return float64(results[i].Seconds)
	}
	var ratios []float64
	for run := 1; run <= len(results); run++ {
		if q := took(system, run) / took(other, run); !math.IsNaN(q) {
			ratios = append(ratios, q)
		}
	}
	return quantile(ratios, 0.5)
}
