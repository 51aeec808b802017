package model_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
	"github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest"
)

// Records is a model of one's own: under each name the highest number that anybody
// has entered; of equal ones the first counts.
type Records struct {
	host model.Host
	best map[string]*model.Update // the key is the name, the value a number in decimal
}

func (r *Records) Bind(h model.Host) error {
	if r.host != nil {
		return errors.New("records: attached already")
	}
	r.host, r.best = h, map[string]*model.Update{}
	return nil
}

// Enter enters n under a name. What is no record is not written.
func (r *Records) Enter(ctx context.Context, name string, n int) error {
	return r.host.Write(ctx, true, func(tx *model.Tx) error {
		if best := r.best[name]; best == nil || n > number(best) {
			tx.Put(model.Draft{Key: []byte(name), Value: strconv.AppendInt(nil, int64(n), 10)})
		}
		return nil
	})
}

// Best returns the record under a name, and who holds it.
func (r *Records) Best(name string) (n int, node string) {
	defer r.host.RUnlock(r.host.RLock())
	if u := r.best[name]; u != nil {
		return number(u), u.Replica.Node
	}
	return 0, ""
}

func (r *Records) Apply(u *model.Update) model.Effect {
	name := string(u.Key)
	old := r.best[name]
	switch {
	case old == nil:
		r.best[name] = u
		return model.Effect{}
	case old.Dot == u.Dot:
		return model.Effect{} // again
	case !r.Supersedes(u, old):
		return model.Effect{Redundant: true}
	}
	r.best[name] = u
	return model.Effect{Superseded: []*model.Update{old}}
}

func (r *Records) Discard(u *model.Update) {
	if old := r.best[string(u.Key)]; old != nil && old.Dot == u.Dot {
		delete(r.best, string(u.Key))
	}
}

// Supersedes must put any two updates of one name in order: timestamps may be equal, so
// dots decide at last.
func (r *Records) Supersedes(a, b *model.Update) bool {
	higher := cmp.Or(cmp.Compare(number(a), number(b)), cmp.Compare(b.Time, a.Time), b.Dot.Compare(a.Dot))
	return bytes.Equal(a.Key, b.Key) && higher > 0
}

// number reads a value; one that makes no sense, for who knows what arrives, is 0.
func number(u *model.Update) int {
	n, _ := strconv.Atoi(string(u.Value))
	return n
}

func TestRecordsKeepTheLaws(t *testing.T) {
	t.Parallel()
	modeltest.Check(t, modeltest.Config[*Records]{
		New: func() *Records { return new(Records) },
		Write: func(rng *rand.Rand, r *Records) error {
			return r.Enter(context.Background(), []string{"jump", "run"}[rng.IntN(2)], rng.IntN(5))
		},
		Value: func(r *Records) any {
			all := map[string]string{}
			for name := range maps.Keys(r.best) {
				n, node := r.Best(name)
				all[name] = fmt.Sprint(n, " by ", node)
			}
			return all
		},
		Cases: *lawCases, Seed: *lawSeed,
	})
}

// A model of one's own takes about 60 lines; see the source of this example. It is
// attached like those of this package, and tested with package modeltest.
func Example_custom() {
	var records Records
	attach(&records) // in a program: node.Attach("records", &records)

	ctx := context.Background()
	for _, n := range []int{7, 9, 8} {
		if err := records.Enter(ctx, "jump", n); err != nil {
			panic(err)
		}
	}
	fmt.Println(records.Best("jump"))
	// Output: 9 a
}
