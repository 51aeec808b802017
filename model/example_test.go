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
