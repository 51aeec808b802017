package model_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// How fast models take updates from elsewhere: those of 8 nodes, a round of each in
// turn, over 1,000 keys.
func BenchmarkApply(b *testing.B) {
	for _, bb := range []struct {
		name  string
		fresh func() model.Handle
		write func(m model.Handle, i int) error
	}{
		{"Map", func() model.Handle { return new(model.Map[[]byte]) }, func(m model.Handle, i int) error {
			return m.(*model.Map[[]byte]).Set(ctx, key(i), binary.BigEndian.AppendUint64(nil, uint64(i)))
		}},
		{"Counter", func() model.Handle { return new(model.Counter) }, func(m model.Handle, i int) error {
			return m.(*model.Counter).Add(ctx, key(i), int64(i%7)-2)
		}},
		{"Set", func() model.Handle { return new(model.Set[string]) }, func(m model.Handle, i int) error {
			if s := m.(*model.Set[string]); i%5 == 0 {
				return s.Remove(ctx, "set", key(i))
			} else {
				return s.Add(ctx, "set", key(i))
			}
		}},
		{"Register", func() model.Handle { return new(model.Register[int]) }, func(m model.Handle, i int) error {
			return m.(*model.Register[int]).Set(ctx, key(i), i)
		}},
		{"Log", func() model.Handle { return new(model.Log[int]) }, func(m model.Handle, i int) error {
			if l := m.(*model.Log[int]); i%5000 == 0 {
				return l.Truncate(ctx, benchKeys)
			} else {
				return l.Append(ctx, i)
			}
		}},
		{"Presence", func() model.Handle { return new(model.Presence[int]) }, func(m model.Handle, i int) error {
			return m.(*model.Presence[int]).Set(ctx, i)
		}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			updates := written(b, bb.fresh, bb.write)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				b.StopTimer()
				m := bb.fresh()
				attach(m)
				b.StartTimer()
				for _, u := range updates {
					m.Apply(u)
				}
			}
			b.ReportMetric(float64(b.N*len(updates))/b.Elapsed().Seconds(), "updates/s")
		})
	}
}

const (
	benchNodes = 8
	benchKeys  = 1000
	benchEach  = 25 * benchKeys // updates of each node
)

var ctx = context.Background()

func key(i int) string { return fmt.Sprint("key/", i%benchKeys) }

// written returns what nodes write that hear of each other now and then, in the order
// in which somebody else receives it.
func written(b *testing.B, fresh func() model.Handle, write func(m model.Handle, i int) error) []*model.Update {
	b.Helper()
	var hosts [benchNodes]*host
	for i := range hosts {
		hosts[i] = attach(fresh())
		hosts[i].replica = clock.Replica{Node: fmt.Sprint("node-", i), Epoch: 1_700_000_000_000}
	}
	var all []*model.Update
	for round := range benchEach / benchKeys {
		for n, h := range hosts {
			begin := len(h.log)
			for i := range benchKeys {
				if err := write(h.model.(model.Handle), round*benchKeys+i*(n+1)); err != nil {
					b.Fatal(err)
				}
			}
			fresh := h.log[begin:len(h.log):len(h.log)]
			all = append(all, fresh...)
			if o := hosts[(n+1)%benchNodes]; round%4 == 0 {
				for _, u := range fresh {
					o.receive(u)
				}
			}
		}
	}
	return all
}
