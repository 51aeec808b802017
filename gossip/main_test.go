package gossip

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// A probe of memberlist's that is under way when it shuts down ends by itself,
// within a probe interval.
func TestMain(m *testing.M) {
	if what := os.Getenv(NewcomerEnv); what != "" {
		if err := newcomer(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

// NewcomerEnv names the variable that makes the test binary a node that joins a cluster,
// has fetched a number of keys of the space "map", and ends: "name address keys".
const NewcomerEnv = "GOSSIP_TEST_NEWCOMER"

func newcomer(what string) error {
	var name, addr string
	var keys int
	if _, err := fmt.Sscan(what, &name, &addr, &keys); err != nil {
		return fmt.Errorf("%s=%q: %w", NewcomerEnv, what, err)
	}
	n, err := Start(context.Background(), Config{Name: name, Bind: "127.0.0.1:0", Join: []string{addr}, Flow: FlowOff})
	if err != nil {
		return err
	}
	defer n.Close()
	var m model.Map[[]byte]
	if err := n.Attach("map", &m); err != nil {
		return err
	}
	for m.Len() < keys {
		select {
		case <-n.Done():
			return n.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}
