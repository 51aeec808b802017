package swim

import (
	"reflect"
	"sync/atomic"
	"unsafe"
)

// Route leads t, when it sends or dials, to f(addr) in place of addr, nowhere for
// ""; nil ends that.
func (t *Transport) Route(f func(addr string) string) {
	if f == nil {
		t.socks.route.Store(nil)
		return
	}
	t.socks.route.Store(&f)
}

// Drop makes t unable to reach the addresses that f names, by packet or
// connection; nil ends that.
func (t *Transport) Drop(f func(addr string) bool) {
	if f == nil {
		t.Route(nil)
		return
	}
	t.Route(func(addr string) string {
		if f(addr) {
			return ""
		}
		return addr
	})
}

// Unlisted reports whether t knows that its name is listed at another address.
func (t *Transport) Unlisted() bool { return t.unlisted.Load() }

// Known returns how many nodes memberlist itself remembers, in any state. Its
// count is atomic, but not exported.
func (t *Transport) Known() int {
	n := reflect.ValueOf(t.list.Load()).Elem().FieldByName("numNodes")
	return int((*atomic.Uint32)(unsafe.Pointer(n.UnsafeAddr())).Load())
}
