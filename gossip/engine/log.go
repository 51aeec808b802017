package engine

import (
	"iter"
	"slices"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// entry is a retained update and the hash of its content when it was retained.
type entry struct {
	update  *model.Update
	content uint64
}

// chunkLen is the largest number of entries in one chunk of a log. It bounds
// what an insertion or removal moves. So many fill, with 8 bytes of the runtime's, a size
// class of 4 KiB; one more would take almost a fifth more memory.
const chunkLen = 255

// log holds one replica's retained updates in version order. It is cut into
// chunks, so that finding, dropping and inserting by version costs O(log n) and
// a bounded move, appending O(1), and iterating from a version O(log n + k).
type log struct {
	chunks [][]entry // none empty; versions ascend within and across
	count  int
}

// len returns the number of retained updates.
func (l *log) len() int { return l.count }

// find returns where version is, or would be inserted: chunk i, entry j.
func (l *log) find(version clock.Version) (i, j int, ok bool) {
	end := len(l.chunks)
	if end > 0 { // often it is the oldest
		if first := l.chunks[0][0].update.Version; first >= version {
			return 0, 0, first == version
		}
	}
	for i < end { // the first chunk whose last version is not smaller; often the first of all
		mid := i + (end-i)/2
		if i == 0 && end == len(l.chunks) {
			mid = 0
		}
		if c := l.chunks[mid]; c[len(c)-1].update.Version < version {
			i = mid + 1
		} else {
			end = mid
		}
	}
	if i == len(l.chunks) {
		return i, 0, false
	}
	j, ok = place(l.chunks[i], version)
	return i, j, ok
}

// guesses is how often place guesses.
const guesses = 3

// place returns where version is in a chunk, or would be inserted; it is not above the
// last one. Versions are spread evenly, more or less: so it guesses where it is a few times
// before it halves what is left.
func place(c []entry, version clock.Version) (int, bool) {
	low, high := c[0].update.Version, c[len(c)-1].update.Version
	switch {
	case low >= version:
		return 0, low == version
	case high == version:
		return len(c) - 1, true
	}
	i, j := 1, len(c)-1 // before i all are smaller, low the last of them; from j on larger, high the first
	for try := 0; i < j; try++ {
		mid := i + (j-i)/2
		if try < guesses {
			mid = min(i-1+int((version-low)*clock.Version(j-i+1)/(high-low)&(chunkLen-1)), j-1)
			mid = max(mid, i)
		}
		switch v := c[mid].update.Version; {
		case v < version:
			i, low = mid+1, v
		case v > version:
			j, high = mid, v
		default:
			return mid, true
		}
	}
	return i, false
}

// get returns the entry with this version.
func (l *log) get(version clock.Version) (entry, bool) {
	if i, j, ok := l.find(version); ok {
		return l.chunks[i][j], true
	}
	return entry{}, false
}

// insert adds an update whose version is not retained.
func (l *log) insert(e entry) {
	l.count++
	last := len(l.chunks) - 1
	if last < 0 || len(l.chunks[last]) == chunkLen && l.chunks[last][chunkLen-1].update.Version < e.update.Version {
		room := 4
		if last >= 0 {
			room = chunkLen // one that has filled a chunk is likely to fill another
		}
		l.chunks = append(l.chunks, append(make([]entry, 0, room), e))
		return
	}
	if c := l.chunks[last]; c[len(c)-1].update.Version < e.update.Version {
		l.chunks[last] = append(c, e)
		return
	}
	i, j, _ := l.find(e.update.Version)
	if len(l.chunks[i]) == chunkLen {
		half := slices.Clone(l.chunks[i][chunkLen/2:])
		clear(l.chunks[i][chunkLen/2:])
		l.chunks[i] = l.chunks[i][:chunkLen/2]
		l.chunks = slices.Insert(l.chunks, i+1, half)
		if j > chunkLen/2 {
			i, j = i+1, j-chunkLen/2
		}
	}
	l.chunks[i] = slices.Insert(l.chunks[i], j, e)
}

// remove drops the update with this version and returns it.
func (l *log) remove(version clock.Version) (entry, bool) {
	i, j, ok := l.find(version)
	if !ok {
		return entry{}, false
	}
	e := l.chunks[i][j]
	l.count--
	l.chunks[i] = fit(without(l.chunks[i], j))
	if len(l.chunks[i]) == 0 {
		l.chunks = fit(slices.Delete(l.chunks, i, i+1))
	} else {
		l.merge(i)
		l.merge(i - 1)
	}
	return e, true
}

// without returns a chunk without an entry, in the same memory: it moves what is on the
// shorter side. What is superseded is the oldest, more often than not.
func without(c []entry, j int) []entry {
	if j >= len(c)/2 {
		return slices.Delete(c, j, j+1)
	}
	copy(c[1:j+1], c[:j])
	c[0] = entry{}
	return c[1:]
}

// merge joins chunk i and the next one when they fill half of one together.
func (l *log) merge(i int) {
	if i >= 0 && i+1 < len(l.chunks) && len(l.chunks[i])+len(l.chunks[i+1]) <= chunkLen/2 {
		l.chunks[i] = append(l.chunks[i], l.chunks[i+1]...)
		l.chunks = fit(slices.Delete(l.chunks, i+1, i+2))
	}
}

// fit returns a slice with as much room as what is in it may need soon: one that had
// many more gives its memory back.
func fit[S ~[]E, E any](s S) S {
	if cap(s) <= 8 || len(s) >= cap(s)/4 {
		return s
	}
	return append(make(S, 0, 2*len(s)), s...)
}

// after iterates over the entries with a larger version, in order. The log
// must not change meanwhile.
func (l *log) after(version clock.Version) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		i, j, ok := l.find(version)
		if ok {
			j++
		}
		for ; i < len(l.chunks); i, j = i+1, 0 {
			for _, e := range l.chunks[i][j:] {
				if !yield(e) {
					return
				}
			}
		}
	}
}

// replacement says what made a dropped update redundant.
type replacement struct {
	dropped clock.Version
	by      *replica
	version clock.Version
}

// replacements remembers the last drops of one replica's updates, each with the
// update that superseded it: it is how a sender knows that a hole is closed (R3).
// It is a ring indexed by version, whose length is a power of two and grows when two
// versions want one place; what fell out of it counts as open.
type replacements []replacement

const (
	// replacementsLen is the largest length of a ring …
	replacementsLen = 256
	// … where there are so few replicas that all rings have no more entries than this;
	// where there are more it is less, but not less than replacementsLeast.
	replacementsAll   = 1 << 20
	replacementsLeast = 16
)

// replacementsMost returns how long the ring of each of so many replicas may be.
func replacementsMost(replicas int) int {
	n := replacementsLen
	for n > replacementsLeast && n*replicas > replacementsAll {
		n /= 2
	}
	return n
}

// add remembers a drop; replicas is how many there are.
func (r *replacements) add(dropped clock.Version, by *replica, version clock.Version, replicas int) {
	if *r == nil {
		*r = make(replacements, 1)
	}
	at := r.at(dropped)
	for at.dropped != 0 && at.dropped != dropped && len(*r) < replacementsMost(replicas) {
		r.grow()
		at = r.at(dropped)
	}
	*at = replacement{dropped, by, version}
}

// at returns the place of a version.
func (r replacements) at(version clock.Version) *replacement {
	return &r[version%clock.Version(len(r))]
}

// grow doubles a ring: what had a place of its own has one.
func (r *replacements) grow() {
	longer := make(replacements, 2*len(*r))
	for _, one := range *r {
		if one.dropped != 0 {
			*longer.at(one.dropped) = one
		}
	}
	*r = longer
}

// heir returns the retained update that made version redundant, directly or
// over others; ok is false when that is not remembered. It shortens the way that
// it went, for the next time.
func (r *replica) heir(version clock.Version) (by *replica, v clock.Version, ok bool) {
	var way []*replacement
	for range replacementsLen {
		if r.replaced == nil {
			return nil, 0, false
		}
		s := r.replaced.at(version)
		if s.dropped != version {
			return nil, 0, false
		}
		if _, _, ok := s.by.log.find(s.version); ok {
			for _, w := range way {
				w.by, w.version = s.by, s.version
			}
			return s.by, s.version, true
		}
		way = append(way, s)
		r, version = s.by, s.version
	}
	return nil, 0, false
}
