package model

import "iter"

// roll is a list of updates without gaps, of pages of equal length. The zero value is empty.
type roll struct {
	pages [][]*Update // all full but the last
	count int
}

// pageLen is how many updates are on a page: 32 KiB.
const pageLen = 1 << 12

// at returns where an update is.
func (r *roll) at(place uint32) **Update { return &r.pages[place/pageLen][place%pageLen] }

// add adds an update and returns its place.
func (r *roll) add(u *Update) (place uint32) {
	last := len(r.pages) - 1
	switch {
	case last < 0:
		r.pages = append(r.pages, make([]*Update, 0, 1))
		last = 0
	case len(r.pages[last]) == pageLen:
		r.pages = append(r.pages, make([]*Update, 0, pageLen)) // who has filled one is likely to fill another
		last++
	case len(r.pages[last]) == cap(r.pages[last]):
		r.resize(min(2*cap(r.pages[last]), pageLen))
	}
	r.pages[last] = append(r.pages[last], u)
	r.count++
	return uint32(r.count - 1)
}

// take takes the last update away, and returns its place and it.
func (r *roll) take() (place uint32, u *Update) {
	i := len(r.pages) - 1
	j := len(r.pages[i]) - 1
	u, r.pages[i][j] = r.pages[i][j], nil
	r.pages[i] = r.pages[i][:j]
	r.count--
	switch {
	case j == 0:
		r.pages[i] = nil
		r.pages = r.pages[:i]
	case j < cap(r.pages[i])/4:
		r.resize(2 * j)
	}
	return uint32(r.count), u
}

// resize gives the last page room for n updates.
func (r *roll) resize(n int) {
	page := &r.pages[len(r.pages)-1]
	*page = append(make([]*Update, 0, n), *page...)
}

// all iterates over all updates.
func (r *roll) all() iter.Seq[*Update] {
	return func(yield func(*Update) bool) {
		for _, page := range r.pages {
			for _, u := range page {
				if !yield(u) {
					return
				}
			}
		}
	}
}
