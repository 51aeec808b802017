package gossip

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

// members parses "a! b? c- d." : alive without a mark, suspect?, failed-, left.;
// self has a star.
func parseMembers(s string) []transport.Member {
	var list []transport.Member
	for _, f := range strings.Fields(s) {
		m := transport.Member{Name: strings.TrimRight(f, "?-.*"), Addr: "x"}
		switch f[len(f)-1] {
		case '?':
			m.State = transport.Suspect
		case '-':
			m.State = transport.Failed
		case '.':
			m.State = transport.Left
		case '*':
			m.Self = true
		}
		list = append(list, m)
	}
	return list
}

func TestRosterTimeline(t *testing.T) {
	start := time.Unix(1000, 0)
	r := roster{removeAfter: 10 * time.Second, peers: map[string]*rosterPeer{}}
	for _, e := range []struct {
		at      int // seconds
		members string
		want    string // moves
		next    int    // seconds, 0: nothing due
	}{
		{0, "me*", "", 0},
		{1, "a b me*", "[{a alive} {b alive}]", 0},
		{2, "a? b me*", "", 0},
		{3, "a- b me*", "[{a failed}]", 13},
		{4, "a- b- me*", "[{b failed}]", 13},
		{5, "a- b me*", "[{b alive}]", 13},
		{12, "a- b- me*", "[{b failed}]", 13},
		{13, "a- b- me*", "[{a removed}]", 22},
		{14, "a- b- me*", "", 22},
		{15, "a b- me*", "[{a alive}]", 22},
		{16, "a. b- me*", "[{a removed}]", 22},
		{17, "a. me*", "[{b removed}]", 0},
		{18, "c. me*", "", 0},
		{19, "c me*", "[{c alive}]", 0},
		{20, "c- me*", "[{c failed}]", 30},
		{60, "c- me*", "[{c removed}]", 0},
	} {
		var moves []string
		for _, m := range r.update(start.Add(time.Duration(e.at)*time.Second), parseMembers(e.members)) {
			moves = append(moves, fmt.Sprintf("{%s %s}", m.name, peerStates[m.state]))
		}
		got := ""
		if len(moves) > 0 {
			got = fmt.Sprint(moves)
		}
		next, ok := r.next()
		if got != e.want || ok != (e.next > 0) || ok && next != start.Add(time.Duration(e.next)*time.Second) {
			t.Errorf("%d s, %q: moves %s, next %v %v, want %s, %d", e.at, e.members, got, next.Sub(start), ok, e.want, e.next)
		}
	}
}

func TestMemberEventsTimeline(t *testing.T) {
	seen := map[string]Member{}
	for i, e := range []struct{ members, want string }{
		{"me*", "me+alive"},
		{"a b me*", "a+alive b+alive"},
		{"a b me*", ""},
		{"a- b? me*", "a:alive>failed b:alive>suspect"},
		{"b me*", "b:suspect>alive"}, // a is forgotten after it failed: nothing new
		{"a me*", "a+alive b:alive>left"},
		{"a. me*", "a:alive>left"},
		{"me*", ""},
		{"a me*", "a+alive"},
	} {
		var got []string
		var members []Member
		for _, m := range parseMembers(e.members) {
			members = append(members, Member{Member: m})
		}
		for _, ev := range memberEvents(seen, members) {
			if ev.Joined {
				got = append(got, ev.Name+"+"+ev.State.String())
			} else {
				got = append(got, ev.Name+":"+ev.Before.String()+">"+ev.State.String())
			}
		}
		if s := strings.Join(got, " "); s != e.want {
			t.Errorf("step %d, %q: %q, want %q", i, e.members, s, e.want)
		}
	}
	if len(seen) != 2 || !slices.Contains([]string{"a"}, seen["a"].Name) {
		t.Errorf("seen = %v, want a and me", seen)
	}
}
