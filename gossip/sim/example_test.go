package sim_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/sim"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Five nodes write while one of them is cut off; when it is back, all agree.
func ExampleNew() {
	s, err := sim.New(sim.Config{Seed: 1, Nodes: 5, Link: sim.Link{Delay: sim.Exponential(20 * time.Millisecond), Loss: 0.1}})
	if err != nil {
		fmt.Println(err)
		return
	}
	s.Load(sim.Load{Rate: 20, Until: 10 * time.Second})
	s.At(3*time.Second, func() { s.Cut(sim.Isolate("n2")) })
	if err := s.Run(10 * time.Second); err != nil {
		fmt.Println(err)
		return
	}
	s.Heal()
	took, err := s.Converge(10 * time.Second)
	fmt.Println(took < 5*time.Second, err)
	// Output: true <nil>
}

// A model of one's own, here a typed map, is attached at every node and written to
// by its own methods.
func ExampleConfig_models() {
	s, err := sim.New(sim.Config{
		Seed: 1, Nodes: 3,
		Models: func() map[string]model.Model { return map[string]model.Model{"stock": new(model.Map[int])} },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	stock := func(node string) *model.Map[int] { return s.Node(node).Model("stock").(*model.Map[int]) }
	ctx := context.Background()
	_ = stock("n0").Set(ctx, "apples", 7)
	_ = stock("n1").Set(ctx, "pears", 3)
	if _, err := s.Converge(0); err != nil {
		fmt.Println(err)
		return
	}
	for item, n := range stock("n2").All() {
		fmt.Println(item, n)
	}
	// Output:
	// apples 7
	// pears 3
}

// broken is a register that forgets to tell that a write made another redundant.
type broken struct{ sim.Register }

func (b *broken) Apply(u *model.Update) model.Effect {
	b.Register.Apply(u)
	return model.Effect{}
}

// A model that breaks the rules is found out.
func ExampleViolation() {
	s, err := sim.New(sim.Config{Nodes: 2, Models: func() map[string]model.Model {
		return map[string]model.Model{"s": &broken{*sim.NewRegister()}}
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		_ = s.Write(s.Node("n0"), "s", model.Draft{Key: []byte("k")})
	}
	var v *sim.Violation
	if err := s.Run(time.Second); errors.As(err, &v) {
		fmt.Println(v.Invariant, "at", v.Node)
	}
	// Output: I9 at n0
}

// Half of all writes come from one node in bursts, and budgets are small.
func ExampleLoad() {
	s, err := sim.New(sim.Config{Nodes: 10, Engine: engine.Config{Budget: 2000}})
	if err != nil {
		fmt.Println(err)
		return
	}
	s.Load(sim.Load{
		Rate: 40, Weight: sim.Zipf(1.5), Burst: sim.Burst{On: time.Second, Off: time.Second}, Until: 6 * time.Second,
		Draft: func(rng *rand.Rand, n *sim.Node, i int) (string, model.Draft) {
			return "s", model.Draft{Key: fmt.Append(nil, n.Name(), "/", i%20), Value: make([]byte, 100)}
		},
	})
	if err := s.Run(6 * time.Second); err != nil {
		fmt.Println(err)
		return
	}
	_, err = s.Converge(0)
	fmt.Println(s.Counts()["write"] > 50, err)
	// Output: true <nil>
}
