package clock

import (
	"iter"
	"slices"
	"strings"
)

// Entry is one component of a vector.
type Entry struct {
	Replica Replica
	Version Version
}

// Vector is a version vector: for each replica the highest version known. The
// zero value knows nothing and is ready to use. Iteration is in the order of
// [Replica.Compare]. A component of version 0 is the same as none, and is not
// kept. Copying a Vector shares its components: Clone before changing a copy.
// It takes no more memory than a pointer where there is nothing in it.
type Vector struct {
	list *[]Entry // ascending by replica, versions above zero; nil: there are none
}

// Order is how two vectors relate.
type Order int

// The four ways in which vectors relate.
const (
	Equal      Order = iota // both know the same
	Before                  // the first knows less, and nothing more
	After                   // the first knows more, and nothing less
	Concurrent              // each knows something that the other does not
)

// NewVector returns the vector of entries in any order; of several entries for
// one replica the highest counts. It takes ownership of the slice.
func NewVector(entries []Entry) Vector {
	if !slices.IsSortedFunc(entries, compareEntries) {
		slices.SortFunc(entries, compareEntries)
	}
	kept := entries[:0]
	for _, e := range entries {
		switch n := len(kept); {
		case e.Version == 0:
		case n > 0 && kept[n-1].Replica == e.Replica:
			kept[n-1].Version = max(kept[n-1].Version, e.Version)
		default:
			kept = append(kept, e)
		}
	}
	return vectorOf(kept)
}

// vectorOf returns the vector of entries that are in order.
func vectorOf(entries []Entry) Vector {
	if len(entries) == 0 {
		return Vector{}
	}
	list := entries // only what is not empty takes memory
	return Vector{list: &list}
}

// entries returns the components.
func (v Vector) entries() []Entry {
	if v.list == nil {
		return nil
	}
	return *v.list
}

// Len returns the number of replicas of which something is known.
func (v Vector) Len() int { return len(v.entries()) }

// At returns the i-th component in replica order, 0 ≤ i < Len.
func (v Vector) At(i int) Entry { return v.entries()[i] }

// Version returns the highest version known of r, 0 when nothing is.
func (v Vector) Version(r Replica) Version {
	if i, ok := v.search(r); ok {
		return v.entries()[i].Version
	}
	return 0
}

// Covers reports whether the update with this dot is known.
func (v Vector) Covers(d Dot) bool { return v.Version(d.Replica) >= d.Version }

// Set makes version the highest known of r; zero forgets r.
func (v *Vector) Set(r Replica, version Version) {
	i, ok := v.search(r)
	switch {
	case ok && version == 0:
		*v = vectorOf(slices.Delete(v.entries(), i, i+1))
	case ok:
		v.entries()[i].Version = version
	case version > 0:
		*v = vectorOf(slices.Insert(v.entries(), i, Entry{r, version}))
	}
}

// Merge raises every component of v to that of o.
func (v *Vector) Merge(o Vector) {
	mine, others := v.entries(), o.entries()
	missing := 0
	i := 0
	for _, e := range others {
		for i < len(mine) && mine[i].Replica.Compare(e.Replica) < 0 {
			i++
		}
		if i < len(mine) && mine[i].Replica == e.Replica {
			mine[i].Version = max(mine[i].Version, e.Version)
		} else {
			missing++
		}
	}
	if missing == 0 {
		return
	}
	all := make([]Entry, 0, len(mine)+missing)
	for _, e := range others {
		for len(mine) > 0 && mine[0].Replica.Compare(e.Replica) < 0 {
			all, mine = append(all, mine[0]), mine[1:]
		}
		if len(mine) > 0 && mine[0].Replica == e.Replica {
			e, mine = mine[0], mine[1:] // its version is the higher one by now
		}
		all = append(all, e)
	}
	*v = vectorOf(append(all, mine...))
}

// Compare tells how v relates to o.
func (v Vector) Compare(o Vector) Order {
	mine, others := v.entries(), o.entries()
	less, more := false, false
	i, j := 0, 0
	for i < len(mine) || j < len(others) {
		c := 0
		switch {
		case i == len(mine):
			c = 1
		case j == len(others):
			c = -1
		default:
			c = mine[i].Replica.Compare(others[j].Replica)
		}
		switch {
		case c < 0:
			more = true
			i++
		case c > 0:
			less = true
			j++
		default:
			less = less || mine[i].Version < others[j].Version
			more = more || mine[i].Version > others[j].Version
			i++
			j++
		}
	}
	switch {
	case less && more:
		return Concurrent
	case less:
		return Before
	case more:
		return After
	default:
		return Equal
	}
}

// Clone returns a copy that shares nothing with v.
func (v Vector) Clone() Vector { return vectorOf(slices.Clone(v.entries())) }

// All iterates over the components in replica order. The vector must not be
// changed meanwhile.
func (v Vector) All() iter.Seq2[Replica, Version] {
	return func(yield func(Replica, Version) bool) {
		for _, e := range v.entries() {
			if !yield(e.Replica, e.Version) {
				return
			}
		}
	}
}

// String returns "{a/1:3 b/1:7}".
func (v Vector) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, e := range v.entries() {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(Dot(e).String())
	}
	b.WriteByte('}')
	return b.String()
}

func (v Vector) search(r Replica) (int, bool) {
	return slices.BinarySearchFunc(v.entries(), r, func(e Entry, r Replica) int { return e.Replica.Compare(r) })
}

func compareEntries(a, b Entry) int { return a.Replica.Compare(b.Replica) }
