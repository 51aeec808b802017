package model

import (
	"iter"
	"slices"
	"sync/atomic"
)

// roll is a list of updates without gaps, of pages of equal length. The zero value is empty.
// One at a time may change it; at may be called by anybody, also while it changes.
type roll struct {
	pages atomic.Pointer[[]page] // nil: none
	count int
}

// page is a piece of a roll, with room for pageLen updates; the last one may have less.
type page []atomic.Pointer[Update]

// pageLen is how many updates are on a page: 32 KiB.
const pageLen = 1 << 12

// at returns the update that is at a place, or was just now; nil if there is none any more.
func (r *roll) at(place uint32) *Update {
	pages := r.pages.Load()
	if pages == nil || int(place/pageLen) >= len(*pages) {
		return nil
	}
	p := (*pages)[place/pageLen]
	if int(place%pageLen) >= len(p) {
		return nil
	}
	return p[place%pageLen].Load()
}

// set puts another update at a place where one is.
func (r *roll) set(place uint32, u *Update) { (*r.pages.Load())[place/pageLen][place%pageLen].Store(u) }

// add adds an update and returns its place.
func (r *roll) add(u *Update) (place uint32) {
	place = uint32(r.count)
	switch i, j := r.count/pageLen, r.count%pageLen; {
	case r.count == 0:
		r.pages.Store(&[]page{make(page, 1)})
	case j == 0:
		more := append(*r.pages.Load(), make(page, pageLen)) // who has filled one is likely to fill another
		r.pages.Store(&more)
	case j == len((*r.pages.Load())[i]):
		r.resize(min(2*j, pageLen))
	}
	r.count++
	r.set(place, u)
	return place
}

// last returns the last update and its place.
func (r *roll) last() (place uint32, u *Update) {
	place = uint32(r.count - 1)
	return place, r.at(place)
}

// drop takes the last update away.
func (r *roll) drop() {
	r.count--
	pages := *r.pages.Load()
	i, j := r.count/pageLen, r.count%pageLen
	pages[i][j].Store(nil)
	switch {
	case j == 0:
		less := pages[:i:i] // clipped: what is added later must not go where somebody may read
		r.pages.Store(&less)
	case j < len(pages[i])/4:
		r.resize(2 * j)
	}
}

// resize gives the last page room for n updates.
func (r *roll) resize(n int) {
	pages := slices.Clone(*r.pages.Load())
	old := pages[len(pages)-1]
	p := make(page, n)
	for i := range min(n, len(old)) {
		p[i].Store(old[i].Load())
	}
	pages[len(pages)-1] = p
	r.pages.Store(&pages)
}

// all iterates over all updates.
func (r *roll) all() iter.Seq[*Update] {
	return func(yield func(*Update) bool) {
		for place := range r.count {
			if !yield(r.at(uint32(place))) {
				return
			}
		}
	}
}
