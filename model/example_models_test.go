package model_test

import (
	"context"
	"fmt"

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
