package main

import (
	"context"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// contender is an order of experiment 1: an engine's, or one of the paper's
// idealised baselines.
type contender struct {
	name  string
	order engine.Order
}

// orders are all of them, the best known first. The indices below are theirs.
var orders = []contender{
	{name: "depth", order: engine.Depth},
	{name: "breadth", order: engine.Breadth},
	{name: "span", order: engine.Span},
	{name: "hybrid", order: engine.Hybrid},
}

// reconcile runs experiment 1 with this order.
func (c contender) reconcile(ctx context.Context, sc scale, write load, seed int64) (reconciled, error) {
	return reconcile(ctx, c.name, sc, c.order, write, seed)
}
