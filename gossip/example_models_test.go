package gossip_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// shop is three models that a node carries side by side.
type shop struct {
	node   *gossip.Node
	prices model.Map[int]
	carts  model.Set[string]
	sold   model.Counter
}

func openShop(name string, join ...string) *shop {
	s := new(shop)
	var err error
	s.node, err = gossip.Start(context.Background(), gossip.Config{Name: name, Bind: "127.0.0.1:0", Join: join})
	if err != nil {
		log.Fatal(err)
	}
	for space, h := range map[string]model.Handle{"prices": &s.prices, "carts": &s.carts, "sold": &s.sold} {
		if err := s.node.Attach(space, h); err != nil {
			log.Fatal(err)
		}
	}
	return s
}

// A node carries any number of models: each has a space of its own, and all of them
// one stream of gossip.
func ExampleNode_Attach() {
	amy := openShop("amy")
	defer amy.node.Close()
	bob := openShop("bob", amy.node.Status().Addr)
	defer bob.node.Close()

	ctx := context.Background()
	for _, err := range []error{
		amy.prices.Set(ctx, "tea", 3),
		amy.carts.Add(ctx, "carol", "tea"),
		amy.sold.Add(ctx, "tea", 2),
		bob.sold.Add(ctx, "tea", 5),
	} {
		if err != nil {
			log.Fatal(err)
		}
	}
	for bob.sold.Value("tea") < 7 || amy.sold.Value("tea") < 7 {
		time.Sleep(10 * time.Millisecond) // polling: an example; a program would watch
	}
	price, _ := bob.prices.Get("tea")
	fmt.Println(price, bob.carts.Contains("carol", "tea"), bob.sold.Value("tea"), amy.sold.Value("tea"))
	// Output: 3 true 7 7
}
