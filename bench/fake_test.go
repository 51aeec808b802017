package main

import (
	"context"
	"sync"
	"time"
)

// fakeNode is a contestant whose one value is set by a test.
type fakeNode struct {
	mu    sync.Mutex
	value []byte
	shown bool // somebody has looked at a value
}

var _ contestant = (*fakeNode)(nil)

func (n *fakeNode) get(string) ([]byte, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.shown = n.value != nil
	return n.value, n.shown
}

func (n *fakeNode) addr() string                              { return "" }
func (n *fakeNode) peers() int                                { return 0 }
func (n *fakeNode) begin(context.Context) error               { return nil }
func (n *fakeNode) begun() time.Time                          { return time.Time{} }
func (n *fakeNode) put(context.Context, string, []byte) error { return nil }
func (n *fakeNode) size() int                                 { return 0 }
func (n *fakeNode) traffic() traffic                          { return traffic{} }
func (n *fakeNode) close() error                              { return nil }
