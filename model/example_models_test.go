package model_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

func ExampleCounter() {
	var hits model.Counter
	attach(&hits) // in a program: node.Attach("hits", &hits)

	ctx := context.Background()
	_ = hits.Add(ctx, "/home", 1)
	_ = hits.Add(ctx, "/home", 2)
	_ = hits.Add(ctx, "/about", 1)
	_ = hits.Reset(ctx, "/about")

	for name, n := range hits.All() {
		fmt.Println(name, n)
	}
	// Output:
	// /about 0
	// /home 3
}

func ExampleSet() {
	var carts model.Set[string]
	attach(&carts)

	ctx := context.Background()
	_ = carts.Add(ctx, "amy", "tea", "rice")
	_ = carts.Add(ctx, "bob", "salt")
	_ = carts.Remove(ctx, "amy", "tea")

	for item := range carts.All("amy") {
		fmt.Println(item)
	}
	fmt.Println(carts.Contains("amy", "tea"), carts.Len("bob"))
	// Output:
	// rice
	// false 1
}

// Two nodes set a register at the same time: both values stay until somebody who has
// seen both sets it again.
func ExampleRegister_Resolve() {
	var here, there model.Register[string]
	a, b := attach(&here), attach(&there)
	b.replica.Node = "b"

	ctx := context.Background()
	_ = here.Set(ctx, "title", "On gossip")
	_ = there.Set(ctx, "title", "On rumours")
	a.receive(b.log[0]) // in a program, gossip does that

	for _, s := range here.Values("title") {
		fmt.Println(s.Replica.Node, s.Value)
	}
	_ = here.Resolve(ctx, "title", func(titles []string) string {
		slices.Sort(titles)
		return strings.Join(titles, " / ")
	})
	fmt.Println(here.Get("title"))
	// Output:
	// b On rumours
	// a On gossip
	// On gossip / On rumours true
}

func ExampleLog() {
	var audit model.Log[string]
	attach(&audit)

	ctx := context.Background()
	_ = audit.Append(ctx, "amy came", "amy went")
	_ = audit.Append(ctx, "bob came")
	_ = audit.Truncate(ctx, 2)

	for e := range audit.All() {
		fmt.Println(e.Replica.Node, e.Version, e.Value)
	}
	// Output:
	// a 2 amy went
	// a 3 bob came
}

func ExamplePresence() {
	type role struct{ Name, Zone string }
	var roles model.Presence[role]
	attach(&roles) // as node a

	ctx := context.Background()
	_ = roles.Set(ctx, role{"web", "north"})
	_ = roles.Set(ctx, role{"web", "south"})

	for node, r := range roles.All() {
		fmt.Println(node, r.Name, r.Zone)
	}
	// Output: a web south
}
