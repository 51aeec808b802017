package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// system makes members of clusters that replicate a map from strings to bytes, in
// which the last write wins.
type system struct {
	name string
	// open starts a member that has joined the given addresses and replicates nothing
	// yet.
	open func(ctx context.Context, name string, join []string) (contestant, error)
}

// contestant is one member of a cluster under test.
type contestant interface {
	addr() string
	peers() int // others that it takes for alive
	// begin starts replicating: it fetches what others have, and passes on what is new.
	begin(ctx context.Context) error
	// begun is when its first message left or its first fetch began; zero before.
	begun() time.Time
	// put writes here, and keeps no reference to value. It may wait when the system says that
	// writers must.
	put(ctx context.Context, key string, value []byte) error
	get(key string) ([]byte, bool)
	size() int // number of keys
	traffic() traffic
	close() error
}

// traffic is what a member has sent so far, in bytes.
type traffic struct {
	wire    uint64 // on its sockets
	payload uint64 // of the application, before the transport's overhead
}

// systems are all that are compared, in the order in which they run.
var systems = []system{
	network{}.scuttlebutt(),
	{"memberlist", openMemberlist},
	{"memberlist-tuned", openTuned},
}

// systemsOf returns the systems that a list names, separated by commas.
func systemsOf(list string) ([]system, error) {
	var chosen []system
	for name := range strings.SplitSeq(list, ",") {
		found := false
		for _, s := range systems {
			if s.name == name {
				chosen, found = append(chosen, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no %q, but %s", name, systemNames())
		}
	}
	return chosen, nil
}

func systemNames() string {
	var names []string
	for _, s := range systems {
		names = append(names, s.name)
	}
	return strings.Join(names, ",")
}

// fleet is a running cluster under test.
type fleet []contestant

// launch starts a cluster whose members know each other and replicate.
func (s system) launch(ctx context.Context, nodes int) (fleet, error) {
	var f fleet
	for i := range nodes {
		c, err := s.join(ctx, f, i)
		if err != nil {
			return f, err
		}
		f = append(f, c)
	}
	for _, c := range f {
		if err := c.begin(ctx); err != nil {
			return f, err
		}
	}
	return f, nil
}

// join opens the i-th member of a cluster and waits until it and the others know each
// other.
func (s system) join(ctx context.Context, f fleet, i int) (contestant, error) {
	var join []string
	for _, c := range f {
		join = append(join, c.addr())
	}
	c, err := s.open(ctx, fmt.Sprintf("n%02d", i), join)
	if err != nil {
		return nil, err
	}
	all := append(f[:len(f):len(f)], c)
	err = await(ctx, assembly, func() bool {
		for _, c := range all {
			if c.peers() < len(all)-1 {
				return false
			}
		}
		return true
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %d nodes do not find each other: %w", s.name, len(all), err), c.close())
	}
	return c, nil
}

// traffic is what all members have sent.
func (f fleet) traffic() traffic {
	var sum traffic
	for _, c := range f {
		t := c.traffic()
		sum.wire += t.wire
		sum.payload += t.payload
	}
	return sum
}

// close stops all members.
func (f fleet) close() error {
	var errs []error
	for _, c := range f {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// errTooLong is what await returns when it has waited in vain.
var errTooLong = errors.New("it takes too long")

// await waits until ok says so, looking about every millisecond. It does not nap: that keeps
// one of the runtime's processors for as long, half of what a system has that is measured
// on two.
func await(ctx context.Context, patience time.Duration, ok func() bool) error {
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(lookEvery) {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Now().After(deadline):
			return errTooLong
		}
	}
	return nil
}

// lookEvery is the time between two looks at what is visible.
const lookEvery = 200 * time.Microsecond
