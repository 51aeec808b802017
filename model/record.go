package model

// record is an update and room for its key and value: one piece of memory instead of two
// to get, and to look at when garbage is collected. They are needed for equally long.
type record[Room any] struct {
	update Update
	room   Room
}

// Clone returns a copy of u with a key and a value of its own, which need no more memory than
// it does: what they were copied from may change, or go.
//
// The fields go one by one: an update is written just before it is cloned, field by field, and
// a processor that has to read it in larger pieces waits until all of it is in the cache.
func (u *Update) Clone() *Update {
	clone, room := newRecord(len(u.Key) + len(u.Value))
	clone.Replica.Node, clone.Replica.Epoch, clone.Version = u.Replica.Node, u.Replica.Epoch, u.Version
	clone.Time, clone.Expires = u.Time, u.Expires
	clone.Space, clone.Kind = u.Space, u.Kind
	clone.Context, clone.Deps = u.Context, u.Deps
	n := copy(room, u.Key)
	copy(room[n:], u.Value)
	clone.Key, clone.Value = room[:n:n], room[n:]
	return clone
}

// newRecord returns a zero update, and n bytes that live as long as it does. The rooms
// are what fills the runtime's size classes beside an update of 136 bytes.
func newRecord(n int) (*Update, []byte) {
	switch {
	case n <= 24:
		r := new(record[[24]byte])
		return &r.update, r.room[:n:n]
	case n <= 40:
		r := new(record[[40]byte])
		return &r.update, r.room[:n:n]
	case n <= 56:
		r := new(record[[56]byte])
		return &r.update, r.room[:n:n]
	case n <= 72:
		r := new(record[[72]byte])
		return &r.update, r.room[:n:n]
	case n <= 88:
		r := new(record[[88]byte])
		return &r.update, r.room[:n:n]
	case n <= 104:
		r := new(record[[104]byte])
		return &r.update, r.room[:n:n]
	case n <= 120:
		r := new(record[[120]byte])
		return &r.update, r.room[:n:n]
	case n <= 152:
		r := new(record[[152]byte])
		return &r.update, r.room[:n:n]
	case n <= 184:
		r := new(record[[184]byte])
		return &r.update, r.room[:n:n]
	case n <= 216:
		r := new(record[[216]byte])
		return &r.update, r.room[:n:n]
	case n <= 248:
		r := new(record[[248]byte])
		return &r.update, r.room[:n:n]
	}
	return new(Update), make([]byte, n)
}
