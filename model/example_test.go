package model_test

import (
	"context"
	"fmt"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

func ExampleMap() {
	var colours model.Map[string]
	attach(&colours) // in a program: node.Attach("colours", &colours)

	ctx := context.Background()
	_ = colours.Set(ctx, "sky", "blue")
	_ = colours.Set(ctx, "grass", "green")
	_ = colours.Set(ctx, "sky", "grey")
	_ = colours.Delete(ctx, "grass")

	v, ok := colours.Get("sky")
	fmt.Println(v, ok, colours.Len())
	// Output: grey true 1
}

func ExampleMap_Update() {
	var visits model.Map[int]
	attach(&visits)

	ctx := context.Background()
	for range 3 {
		_ = visits.Update(ctx, "home", func(n int, _ bool) int { return n + 1 })
	}
	fmt.Println(visits.Get("home"))
	// Output: 3 true
}

// A watch waits for the next change until it is left, or its context is done.
func ExampleMap_Watch() {
	var colours model.Map[string]
	attach(&colours)

	ctx := context.Background()
	_ = colours.Set(ctx, "sky", "blue")
	_ = colours.Set(ctx, "grass", "green")

	for c := range colours.Watch(ctx, model.WatchConfig{State: true}) {
		if c.Deleted {
			fmt.Println(c.Key, "is gone, it was", c.Old)
			break
		}
		fmt.Println(c.Key, "is", c.Value)
		if !c.More { // that was the state: change it
			_ = colours.Delete(ctx, "grass")
		}
	}
	// Output:
	// grass is green
	// sky is blue
	// grass is gone, it was green
}

func ExampleMap_Prefix() {
	type user struct{ Mail string }
	var m model.Map[user]
	attach(&m)

	ctx := context.Background()
	_ = m.Set(ctx, "user/bob", user{"bob@example.org"})
	_ = m.Set(ctx, "user/amy", user{"amy@example.org"})
	_ = m.Set(ctx, "team/red", user{"red@example.org"})

	for key, u := range m.Prefix("user/") {
		fmt.Println(key, u.Mail)
	}
	// Output:
	// user/amy amy@example.org
	// user/bob bob@example.org
}
