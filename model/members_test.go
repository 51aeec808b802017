package model_test

import (
	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// memberHost is a host that knows members.
type memberHost struct {
	*host
	standing map[string]model.Standing // of those that are not present
	first    bool
}

// attachMember binds a handle to a new host that knows members and is not the first.
func attachMember(h model.Handle) *memberHost {
	n := &memberHost{host: attach(new(model.Map[int])), standing: map[string]model.Standing{}}
	n.model = h
	if err := h.Bind(n); err != nil {
		panic(err)
	}
	return n
}

func (h *memberHost) Standing(node string, _ clock.Timestamp) model.Standing { return h.standing[node] }

func (h *memberHost) First() bool { return h.first }

// move changes what is known of a node.
func (h *memberHost) move(node string, s model.Standing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.standing[node] = s
	for _, w := range h.watches {
		if m, ok := w.(model.MemberWatcher); ok {
			m.NoteMember(node)
		}
	}
}
