package gossip

import (
	"context"
	"fmt"
	"io"
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
// has fetched a number of keys of the space "map", and ends: "name address keys". With the
// address "-" it is one that has so many keys itself: it prints its address when it has, and
// ends with its input.
const NewcomerEnv = "GOSSIP_TEST_NEWCOMER"

func newcomer(what string) error {
	var name, addr string
	var keys int
	if _, err := fmt.Sscan(what, &name, &addr, &keys); err != nil {
		return fmt.Errorf("%s=%q: %w", NewcomerEnv, what, err)
	}
	c := Config{Name: name, Bind: "127.0.0.1:0", Flow: FlowOff}
	if addr != "-" {
		c.Join = []string{addr}
	}
	n, err := Start(context.Background(), c)
	if err != nil {
		return err
	}
	defer n.Close()
	var m model.Map[[]byte]
	if err := n.Attach("map", &m); err != nil {
		return err
	}
	if addr == "-" {
		return source(n, &m, keys)
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

// source fills a map, prints the node's address, and waits for the end of the input.
func source(n *Node, m *model.Map[[]byte], keys int) error {
	for k := range keys {
		if err := m.Set(context.Background(), fmt.Sprintf("data/%015d", k), make([]byte, 100)); err != nil {
			return err
		}
	}
	fmt.Println(n.Status().Addr)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
