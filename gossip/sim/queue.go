package sim

import "time"

// event is something that happens at a moment: a message arrives, or a function
// runs.
type event struct {
	at     time.Duration // since the start
	seq    uint64        // of events at one moment the first one is first
	packet *packet
	do     func()
}

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.seq < o.seq }

// queue is a heap of events.
type queue []event

func (q *queue) push(e event) {
	h := append(*q, e)
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !h[i].before(&h[up]) {
			break
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
	*q = h
}

func (q *queue) pop() event {
	h := *q
	first, last := h[0], len(h)-1
	h[0], h[last] = h[last], event{}
	h = h[:last]
	*q = h
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return first
		}
		if down+1 < last && h[down+1].before(&h[down]) {
			down++
		}
		if !h[down].before(&h[i]) {
			return first
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
}

// rota is a heap of the nodes that run, by when they are due; each knows its place.
type rota []*Node

func (r rota) before(i, j int) bool {
	a, b := r[i], r[j]
	return a.due < b.due || a.due == b.due && a.index < b.index
}

func (r rota) swap(i, j int) {
	r[i], r[j] = r[j], r[i]
	r[i].place, r[j].place = i, j
}

// put adds n, or moves it to where it belongs since it is due at another time.
func (r *rota) put(n *Node) {
	if n.place < 0 {
		n.place = len(*r)
		*r = append(*r, n)
	}
	r.fix(n.place)
}

// drop takes n out, if it is there.
func (r *rota) drop(n *Node) {
	i := n.place
	if i < 0 {
		return
	}
	last := len(*r) - 1
	r.swap(i, last)
	(*r)[last] = nil
	*r = (*r)[:last]
	n.place = -1
	if i < last {
		r.fix(i)
	}
}

func (r rota) fix(i int) {
	for i > 0 && r.before(i, (i-1)/2) {
		r.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		down := 2*i + 1
		if down >= len(r) {
			return
		}
		if down+1 < len(r) && r.before(down+1, down) {
			down++
		}
		if !r.before(down, i) {
			return
		}
		r.swap(i, down)
		i = down
	}
}
