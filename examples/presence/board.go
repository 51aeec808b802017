package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const (
	keepGone   = 15 * time.Second // how long who has gone is listed
	keepEvents = 5
	maxWord    = 16 // columns of a name or a role
)

// board is what a node sees, and saw not long ago.
type board struct {
	self  string
	begin time.Time

	mu     sync.Mutex
	rows   map[string]row
	events []event
}

type row struct {
	name string
	service
	gone time.Time // zero: it is there
}

type event struct {
	at   time.Duration // since the beginning
	text string
}

func (e event) String() string { return fmt.Sprintf("%6.1fs  %s", e.at.Seconds(), e.text) }

func newBoard(self string, now time.Time) *board {
	return &board{self: self, begin: now, rows: map[string]row{}}
}

// change notes a change, and returns an event if that is one to speak of: somebody
// came, went, or took another role.
func (b *board) change(now time.Time, c model.PresenceChange[service]) (event, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rows[c.Node]
	r.name = c.Node
	text := ""
	switch {
	case c.Gone:
		r.gone = now
		text = fmt.Sprintf("%s went, %s", word(c.Node), word(r.Role))
	case !c.Existed || c.Old.Role != c.Value.Role || !c.Old.Since.Equal(c.Value.Since):
		text = fmt.Sprintf("%s came, %s", word(c.Node), word(c.Value.Role))
		fallthrough
	default:
		r.service, r.gone = c.Value, time.Time{}
	}
	b.rows[c.Node] = r
	if text == "" {
		return event{}, false
	}
	e := event{now.Sub(b.begin), text}
	b.events = append(b.events, e)
	b.events = b.events[max(0, len(b.events)-keepEvents):]
	return e, true
}

// list returns all rows by role and name, and forgets who has gone long ago.
func (b *board) list(now time.Time) ([]row, []event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.rows, func(_ string, r row) bool { return !r.gone.IsZero() && now.Sub(r.gone) > keepGone })
	all := slices.SortedFunc(maps.Values(b.rows), func(x, y row) int {
		return cmp.Or(strings.Compare(x.Role, y.Role), strings.Compare(x.name, y.name))
	})
	return all, slices.Clone(b.events)
}

// frame draws the board, in so many lines at most and one column less than there are.
func (b *board) frame(now time.Time, cols, lines int) []string {
	rows, events := b.list(now)
	there := 0
	free := map[string]row{} // of each role the least busy
	var order []string
	var table []string
	for _, r := range rows {
		if !r.gone.IsZero() {
			table = append(table, faint+fmt.Sprintf("%-*s  %-*s  gone for %.0f s", maxWord, word(r.name), maxWord, word(r.Role), now.Sub(r.gone).Seconds()))
			continue
		}
		there++
		if best, ok := free[r.Role]; !ok {
			order = append(order, r.Role)
			free[r.Role] = r
		} else if r.Load < best.Load {
			free[r.Role] = r
		}
		load := min(max(r.Load, 0), 100)
		bar := strings.Repeat("#", load/10) + strings.Repeat(".", 10-load/10)
		table = append(table, fmt.Sprintf("%-*s  %-*s  %s %3d %%  %s", maxWord, word(r.name), maxWord, word(r.Role), bar, load, now.Sub(r.Since).Truncate(time.Second)))
	}
	all := []string{
		bold + fmt.Sprintf("%d services, as %s sees it", there, word(b.self)), "",
		bold + fmt.Sprintf("%-*s  %-*s  %-16s  up", maxWord, "node", maxWord, "role", "load"),
	}
	all = append(append(all, table...), "")
	best := "least busy:"
	for _, role := range order {
		best += fmt.Sprintf("  %s %s", word(role), word(free[role].name))
	}
	all = append(all, best, "")
	for _, e := range events {
		all = append(all, e.String())
	}
	if len(all) > lines {
		all = all[:max(lines, 1)]
	}
	for i, l := range all {
		all[i] = crop(l, cols-1)
	}
	return all
}

// word makes what another node says of itself fit for a terminal.
func word(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) && r < 0x300 { // one column wide
			return r
		}
		return '?'
	}, s)
	if r := []rune(s); len(r) > maxWord {
		return string(r[:maxWord-1]) + "~"
	}
	return s
}
