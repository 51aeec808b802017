package gossip_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The folders are the architecture (DESIGN §2). These tests hold the code to
// it: who may import whom, what is pure, and what lies at the top.

const module = "github.com/insecure-scuttlebutt/scuttlebutt/"

// own lists every package, and which of the others its code may import. Tests
// may import any of them but examples and bench.
var own = map[string][]string{
	"clock":                          {},
	"model":                          {"clock"},
	"model/modeltest":                {"clock", "model"},
	"flowcontrol":                    {},
	"gossip/engine":                  {"clock", "model"},
	"gossip/wire":                    {"clock", "model", "gossip/engine"},
	"gossip/sim":                     {"clock", "model", "gossip/engine", "gossip/wire", "flowcontrol"},
	"gossip/transport":               {},
	"gossip/transport/memnet":        {"gossip/transport"},
	"gossip/transport/stream":        {"gossip/transport"},
	"gossip/transport/swim":          {"gossip/transport", "gossip/transport/stream"},
	"gossip/transport/transporttest": {"gossip/transport"},
	"gossip/store":                   {"clock", "model"},
	"gossip/store/memory":            {"clock", "model", "gossip/store"},
	"gossip/store/disk":              {"clock", "model", "gossip/store"},
	"gossip/store/storetest":         {"clock", "model", "gossip/store"},
	"gossip": {"clock", "model", "flowcontrol", "gossip/engine", "gossip/wire", "gossip/transport",
		"gossip/transport/swim", "gossip/store", "gossip/store/memory"},
	"examples/kv":       {"clock", "model", "gossip"},
	"examples/counter":  {"model", "gossip"},
	"examples/presence": {"model", "gossip"},
	"examples/cluster":  {"clock", "model", "gossip", "gossip/transport", "gossip/transport/swim"},
	"bench": {"clock", "model", "flowcontrol", "gossip", "gossip/engine", "gossip/wire", "gossip/sim",
		"gossip/transport", "gossip/transport/swim"},
}

// third lists the third parties by import path prefix, and where each may be
// used outside of tests.
var third = map[string][]string{
	"github.com/hashicorp/memberlist":     {"gossip/transport/swim", "bench"}, // bench: what one would build otherwise
	"github.com/vmihailenco/msgpack/v5":   {"gossip/wire", "model", "bench"},
	"github.com/prometheus/client_golang": {"gossip", "examples/kv", "examples/cluster"},
	"github.com/klauspost/compress":       {"gossip/transport/stream"},
	"github.com/zeebo/xxh3":               {"gossip/engine"},
	"golang.org/x/term":                   {"examples/cluster", "examples/presence"},
	"gonum.org/v1/plot":                   {"bench"},
	"golang.org/x/time":                   {"gossip"},
	"github.com/cockroachdb/datadriven":   {},
	"pgregory.net/rapid":                  {},
	"go.uber.org/goleak":                  {},
}

// pure lists the packages whose code only computes.
var pure = []string{"clock", "model", "model/modeltest", "gossip/engine", "gossip/wire", "gossip/sim", "flowcontrol"}

// impure are imports that a pure package must not have, with all below them.
var impure = []string{"sync", "net", "os", "log", "crypto/rand", "hash/maphash", "runtime", "syscall"}

// excepted are imports that a pure package, by its name, may have all the same: readers of a
// map load words that one writer stores. It waits for nothing, and what comes of it does not
// depend on who runs when (see package model).
var excepted = map[string]string{"model": "sync/atomic"}

// impureFuncs are functions that a pure package must not use: they read a clock
// or wait. The global functions of math/rand are forbidden too.
var impureFuncs = map[string][]string{
	"time":    {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"},
	"context": {"WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause", "AfterFunc"},
}

// top lists what may lie at the top of the repository, besides dot files.
var top = []string{"gossip", "clock", "model", "flowcontrol", "examples", "bench", "go.mod", "go.sum", "README.md", "LICENSE"}

func within(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

// checkImport returns what is wrong with a file of package pkg importing path.
func checkImport(pkg, path string, test bool) string {
	if target, ok := strings.CutPrefix(path, module); ok {
		switch {
		case within(target, "examples") || within(target, "bench"):
			return "nothing imports examples or bench"
		case test || slices.Contains(own[pkg], target) || target == pkg:
			return ""
		default:
			return "imports point one way (DESIGN §2)"
		}
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	for prefix, where := range third {
		if within(path, prefix) {
			if test || slices.Contains(where, pkg) {
				return ""
			}
			return fmt.Sprintf("allowed in %q and tests only", where)
		}
	}
	return "not a third party that the design knows"
}

// checkImports checks all imports of a file.
func checkImports(fset *token.FileSet, pkg string, f *ast.File, test bool) []string {
	var bad []string
	for _, spec := range f.Imports {
		path, _ := strconv.Unquote(spec.Path.Value) // the parser accepted it
		if why := checkImport(pkg, path, test); why != "" {
			bad = append(bad, fmt.Sprintf("%v: %s imports %s: %s", fset.Position(spec.Pos()), pkg, path, why))
		}
	}
	return bad
}

// purity checks one file of a pure package.
type purity struct {
	fset   *token.FileSet
	info   *types.Info
	order  map[int]bool      // lines that a comment "// order: …" is on or above
	sorted map[ast.Node]bool // arguments of slices.Sorted and its like
	bad    []string
}

// checkPurity returns everything impure in a file.
func checkPurity(fset *token.FileSet, f *ast.File, info *types.Info) []string {
	p := &purity{fset: fset, info: info, order: make(map[int]bool), sorted: make(map[ast.Node]bool)}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if reason, ok := strings.CutPrefix(c.Text, "// order: "); ok && strings.TrimSpace(reason) != "" {
				p.order[fset.Position(c.Pos()).Line] = true
				p.order[fset.Position(group.End()).Line+1] = true
			}
		}
	}
	for _, spec := range f.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		bad := slices.ContainsFunc(impure, func(prefix string) bool { return within(path, prefix) })
		if bad && excepted[f.Name.Name] != path {
			p.report(spec, "import of %s", path)
		}
	}
	ast.Inspect(f, p.visit)
	return p.bad
}

func (p *purity) report(n ast.Node, format string, args ...any) {
	p.bad = append(p.bad, fmt.Sprintf("%v: %s", p.fset.Position(n.Pos()), fmt.Sprintf(format, args...)))
}

func (p *purity) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		p.report(n, "go statement")
	case *ast.SelectStmt:
		p.report(n, "select")
	case *ast.ChanType:
		p.report(n, "channel type")
	case *ast.SendStmt:
		p.report(n, "send")
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			p.report(n, "receive")
		}
	case *ast.RangeStmt:
		p.ranges(n)
	case *ast.CallExpr:
		if fn := p.function(n.Fun, "slices"); fn != nil && strings.HasPrefix(fn.Name(), "Sorted") && len(n.Args) > 0 {
			p.sorted[n.Args[0]] = true
		}
		if fn := p.function(n.Fun, "maps"); fn != nil && slices.Contains([]string{"All", "Keys", "Values"}, fn.Name()) &&
			!p.sorted[n] && !p.order[p.fset.Position(n.Pos()).Line] {
			p.report(n, "maps.%s unsorted and without a comment \"// order: …\"", fn.Name())
		}
	case *ast.Ident:
		p.uses(n)
	}
	return true
}

func (p *purity) ranges(n *ast.RangeStmt) {
	t := p.info.TypeOf(n.X)
	if t == nil {
		return
	}
	switch t.Underlying().(type) {
	case *types.Chan:
		p.report(n, "range over a channel")
	case *types.Map:
		if (n.Key != nil || n.Value != nil) && !p.order[p.fset.Position(n.Pos()).Line] {
			p.report(n, "range over a map without a comment \"// order: …\"")
		}
	}
}

func (p *purity) uses(id *ast.Ident) {
	fn, ok := p.info.Uses[id].(*types.Func)
	if !ok || fn.Pkg() == nil || fn.Signature().Recv() != nil {
		return
	}
	switch path := fn.Pkg().Path(); {
	case slices.Contains(impureFuncs[path], fn.Name()):
		p.report(id, "%s.%s", path, fn.Name())
	case (path == "math/rand" || path == "math/rand/v2") && !strings.HasPrefix(fn.Name(), "New"):
		p.report(id, "global %s.%s", path, fn.Name())
	}
}

// function returns the function of a package that an expression names, nil when
// it is something else.
func (p *purity) function(e ast.Expr, pkg string) *types.Func {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	fn, ok := p.info.Uses[sel.Sel].(*types.Func)
	if !ok || fn.Pkg() == nil || fn.Pkg().Path() != pkg {
		return nil
	}
	return fn
}

// listed is what the go command says of a package.
type listed struct {
	ImportPath, Dir, Export            string
	GoFiles, TestGoFiles, XTestGoFiles []string
}

// repository lists the packages of the repository, and an importer that knows
// their dependencies and a bit of the standard library.
func repository(t *testing.T) (map[string]listed, *token.FileSet, types.Importer) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,TestGoFiles,XTestGoFiles",
		"./...", "maps", "math/rand", "math/rand/v2", "slices", "time", "context")
	cmd.Dir, cmd.Stderr = "..", os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all, ours := make(map[string]listed), make(map[string]listed)
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var l listed
		if err := d.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all[l.ImportPath] = l
		if pkg, ok := strings.CutPrefix(l.ImportPath, module); ok {
			ours[pkg] = l
		}
	}
	fset := token.NewFileSet()
	return ours, fset, importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(all[path].Export)
	})
}

func parse(t *testing.T, fset *token.FileSet, name string, src any) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// check type-checks files as far as possible: what does not compile is for the
// compiler to complain about.
func check(fset *token.FileSet, imp types.Importer, pkg string, files []*ast.File) *types.Info {
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object), Types: make(map[ast.Expr]types.TypeAndValue), Defs: make(map[*ast.Ident]types.Object)}
	conf := types.Config{Importer: imp, Error: func(error) {}}
	conf.Check(pkg, fset, files, info)
	return info
}

func TestArchitecture(t *testing.T) {
	t.Parallel()
	packages, fset, imp := repository(t)
	for pkg, l := range packages {
		if _, ok := own[pkg]; !ok {
			t.Errorf("package %s is not part of the design", pkg)
			continue
		}
		var code []*ast.File
		for _, name := range slices.Concat(l.GoFiles, l.TestGoFiles, l.XTestGoFiles) {
			f := parse(t, fset, filepath.Join(l.Dir, name), nil)
			test := strings.HasSuffix(name, "_test.go")
			for _, bad := range checkImports(fset, pkg, f, test) {
				t.Error(bad)
			}
			if !test {
				code = append(code, f)
			}
		}
		if !slices.Contains(pure, pkg) {
			continue
		}
		info := check(fset, imp, l.ImportPath, code)
		for _, f := range code {
			for _, bad := range checkPurity(fset, f, info) {
				t.Errorf("%s (%s is pure)", bad, pkg)
			}
		}
	}
}

func TestTopLevel(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "git", "ls-files")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Skip("not a git checkout: ", err) // what belongs to the project is what git tracks
	}
	for _, bad := range checkTop(strings.Fields(string(out))) {
		t.Error(bad)
	}
}

// checkTop returns the top-level entries of a list of files that do not belong.
func checkTop(files []string) []string {
	var bad []string
	for _, file := range files {
		entry, _, _ := strings.Cut(file, "/")
		if why := entry + " does not belong at the top"; !strings.HasPrefix(entry, ".") && !slices.Contains(top, entry) && !slices.Contains(bad, why) {
			bad = append(bad, why)
		}
	}
	return bad
}

func TestArchitectureBites(t *testing.T) {
	t.Parallel()
	_, fset, imp := repository(t)
	for _, tt := range []struct{ src, want string }{
		{`package model; import "sync/atomic"; var n atomic.Int64`, ""},
		{`package model; import "sync"; var mu sync.Mutex`, "import of sync"},
		{`import "sync/atomic"; var n atomic.Int64`, "import of sync/atomic"},
		{`import _ "net/netip"`, "import of net/netip"},
		{`import _ "log/slog"`, "import of log/slog"},
		{`func f() { go f() }`, "go statement"},
		{`func f() { select {} }`, "select"},
		{`var c chan int`, "channel type"},
		{`import "context"; func f(ctx context.Context) { <-ctx.Done() }`, "receive"},
		{`import "context"; func f(ctx context.Context) { for range ctx.Done() {} }`, "range over a channel"},
		{`import clock "time"; var now = clock.Now`, "time.Now"},
		{`import . "time"; func f() { Sleep(1) }`, "time.Sleep"},
		{`import "context"; var f = context.WithTimeout`, "context.WithTimeout"},
		{`import "math/rand"; var n = rand.Intn(3)`, "global math/rand.Intn"},
		{`import "math/rand/v2"; var n = rand.N(3)`, "global math/rand/v2.N"},
		{`type m map[int]int; func f(x m) { for range x {} ; for k := range x { _ = k } }`, "range over a map"},
		{"func f(x map[int]int) {\n for k := range x { // order: \n _ = k } }", "range over a map"},
		{`import "maps"; func f(x map[int]int) { for k := range maps.Keys(x) { _ = k } }`, "maps.Keys"},

		{`import "math/rand"; func f(r *rand.Rand) int { return r.Intn(3) }; var r = rand.New(rand.NewSource(1))`, ""},
		{`import "time"; func f(now time.Time) time.Duration { return now.Sub(time.Time{}) }`, ""},
		{"func f(x map[int]int) (n int) {\n for _, v := range x { // order: a sum\n n += v }; return n }", ""},
		{`import ("maps"; "slices"); func f(x map[int]int) []int { return slices.Sorted(maps.Keys(x)) }`, ""},
	} {
		src := tt.src
		if !strings.HasPrefix(src, "package ") {
			src = "package bad; " + src
		}
		f := parse(t, fset, "bad.go", src)
		got := strings.Join(checkPurity(fset, f, check(fset, imp, "bad", []*ast.File{f})), "\n")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s:\ngot %q, want %q", tt.src, got, tt.want)
		}
	}
	for _, tt := range []struct {
		pkg, path string
		test, ok  bool
	}{
		{"clock", module + "model", false, false},
		{"gossip/engine", module + "gossip/wire", false, false},
		{"gossip/engine", module + "gossip/wire", true, true},
		{"gossip", module + "examples/kv", true, false},
		{"gossip/engine", "github.com/hashicorp/memberlist", false, false},
		{"gossip/transport/swim", "github.com/hashicorp/memberlist", false, true},
		{"gossip/wire", "github.com/prometheus/client_golang/prometheus", false, false},
		{"gossip", "pgregory.net/rapid", false, false},
		{"gossip", "github.com/stretchr/testify/assert", true, false},
		{"gossip/wire", module + "gossip/engine", false, true},
		{"gossip", "net/http", false, true},
	} {
		f := parse(t, fset, "bad.go", fmt.Sprintf("package bad; import _ %q", tt.path))
		if bad := checkImports(fset, tt.pkg, f, tt.test); (len(bad) == 0) != tt.ok {
			t.Errorf("%s imports %s (test: %t): %q, want ok: %t", tt.pkg, tt.path, tt.test, bad, tt.ok)
		}
	}
	if bad := checkTop([]string{"util/x.go", "util/y.go", "clock/hlc.go", ".gitignore", "kv"}); len(bad) != 2 {
		t.Errorf("top level: %q, want util and kv", bad)
	}
}
