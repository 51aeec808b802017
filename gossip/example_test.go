package gossip_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport/memnet"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Two nodes, here in one process, share a map.
func ExampleStart() {
	ctx := context.Background()
	amy, err := gossip.Start(ctx, gossip.Config{Name: "amy", Bind: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	defer amy.Close()
	bob, err := gossip.Start(ctx, gossip.Config{Name: "bob", Bind: "127.0.0.1:0", Join: []string{amy.Status().Addr}})
	if err != nil {
		log.Fatal(err)
	}
	defer bob.Close()

	var here, there model.Map[string]
	if err := amy.Attach("colours", &here); err != nil {
		log.Fatal(err)
	}
	if err := bob.Attach("colours", &there); err != nil {
		log.Fatal(err)
	}
	if err := here.Set(ctx, "sky", "blue"); err != nil {
		log.Fatal(err)
	}
	for there.Len() == 0 {
		time.Sleep(10 * time.Millisecond) // gossip takes a moment
	}
	fmt.Println(there.Get("sky"))
	// Output: blue true
}

// A network in memory takes the place of sockets in tests.
func ExampleConfig_transport() {
	ctx := context.Background()
	net := memnet.New(memnet.Config{Seed: 1})
	var maps [3]model.Map[int]
	for i := range maps {
		name := fmt.Sprint("node", i)
		endpoint, err := net.Join(name)
		if err != nil {
			log.Fatal(err)
		}
		node, err := gossip.Start(ctx, gossip.Config{Name: name, Transport: endpoint})
		if err != nil {
			log.Fatal(err)
		}
		defer node.Close()
		if err := node.Attach("numbers", &maps[i]); err != nil {
			log.Fatal(err)
		}
	}
	if err := maps[0].Set(ctx, "seven", 7); err != nil {
		log.Fatal(err)
	}
	for maps[1].Len()+maps[2].Len() < 2 {
		time.Sleep(10 * time.Millisecond) // polling: an example, not a test of order
	}
	fmt.Println(maps[2].Get("seven"))
	// Output: 7 true
}

// A session ends by itself, on every node. Its space holds a thousand at most.
func ExampleNode_AttachWith() {
	ctx := context.Background()
	node, err := gossip.Start(ctx, gossip.Config{Name: "amy", Bind: "127.0.0.1:0"})
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()
	var sessions model.Map[string]
	if err := node.AttachWith("sessions", &sessions, gossip.SpaceConfig{MaxKeys: 1000}); err != nil {
		log.Fatal(err)
	}
	if err := sessions.SetTTL(ctx, "4711", "bob", 50*time.Millisecond); err != nil {
		log.Fatal(err) // gossip.ErrQuota when it is full
	}
	for c := range sessions.Watch(ctx, model.WatchConfig{State: true}) {
		if c.Deleted {
			fmt.Println(c.Key, "has ended,", sessions.Len(), "left")
			break
		}
		fmt.Println(c.Key, "is", c.Value)
	}
	// Output:
	// 4711 is bob
	// 4711 has ended, 0 left
}

func ExampleNode_MemberEvents() {
	ctx := context.Background()
	net := memnet.New(memnet.Config{})
	endpoint, err := net.Join("amy")
	if err != nil {
		log.Fatal(err)
	}
	node, err := gossip.Start(ctx, gossip.Config{Name: "amy", Transport: endpoint})
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()
	if _, err := net.Join("bob"); err != nil {
		log.Fatal(err)
	}
	for e := range node.MemberEvents(ctx) {
		fmt.Println(e.Name, e.State)
		if e.Name == "bob" {
			break
		}
	}
	// Output:
	// amy alive
	// bob alive
}
