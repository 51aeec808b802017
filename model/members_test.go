package model_test

import "github.com/insecure-scuttlebutt/scuttlebutt/model"

// memberHost is a host that knows members.
type memberHost struct {
	*host
	standing map[string]model.Standing // of those that are not present
	first    bool
}

func (h *memberHost) Standing(node string) model.Standing { return h.standing[node] }

func (h *memberHost) First() bool { return h.first }
