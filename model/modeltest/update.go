package modeltest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// clone returns a copy of an update that shares nothing with it.
func clone(u *model.Update) *model.Update {
	c := *u
	buf := make([]byte, len(u.Key)+len(u.Value))
	n := copy(buf, u.Key)
	copy(buf[n:], u.Value)
	c.Key, c.Value = buf[:n:n], buf[n:]
	if u.Context.Len() > 0 {
		c.Context = u.Context.Clone()
	}
	c.Deps = clock.NewDots(slices.Clone(u.Deps.All()))
	return &c
}

// same reports whether two updates say the same.
func same(a, b *model.Update) bool {
	return a.Dot == b.Dot && a.Time == b.Time && a.Kind == b.Kind && a.Expires == b.Expires && a.Space == b.Space &&
		bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) &&
		(a.Context.Len() == 0 && b.Context.Len() == 0 || a.Context.Compare(b.Context) == clock.Equal) &&
		slices.Equal(a.Deps.All(), b.Deps.All())
}

// describe formats everything in an update.
func describe(u *model.Update) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v at %dms+%d: key %q", u.Dot, u.Time.Time().UnixMilli(), u.Time.Logical(), u.Key)
	if u.IsTombstone() {
		b.WriteString(", tombstone")
	}
	if len(u.Value) > 0 {
		fmt.Fprintf(&b, ", value %q", u.Value)
	}
	if k := u.Kind &^ model.Tombstone; k != 0 {
		fmt.Fprintf(&b, ", kind %d", k)
	}
	if u.Context.Len() > 0 {
		fmt.Fprintf(&b, ", context %v", u.Context)
	}
	if u.Deps.Len() > 0 {
		fmt.Fprintf(&b, ", after %v", u.Deps.All())
	}
	if u.Expires != 0 {
		fmt.Fprintf(&b, ", expires %dms+%d", u.Expires.Time().UnixMilli(), u.Expires.Logical())
	}
	return b.String()
}
