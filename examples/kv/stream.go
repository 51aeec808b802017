package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// Limits of streams.
const (
	maxStreams   = 256             // at one time, those included that wait for their client
	resumeWithin = 2 * time.Minute // how long a stream waits for its client to come back
	maxUnsent    = 64              // events that are made before the client takes them
	maxSent      = 256             // events that are kept for a client that missed them
	maxHeld      = 256 << 10       // bytes of either kind; one event may always be there
)

var errManyStreams = errors.New("too many watches")

// streams are the event streams of this daemon. A stream is one client's watch. It
// outlives the connection for a while, so that the client can go on where it was:
// the id of an event is the stream's token and the event's number.
type streams struct {
	keys *model.Map[[]byte]
	ctx  context.Context // done when all streams end

	mu   sync.Mutex
	open map[string]*stream // by token
}

// stream is one client's watch. A goroutine makes events of its changes, up to
// maxUnsent ahead; beyond that the watch gathers changes by key.
type stream struct {
	token, prefix string
	cancel        context.CancelFunc
	more          chan struct{} // capacity 1: there are events
	room          chan struct{} // capacity 1: events were taken

	// Guarded by streams.mu.
	detach func()      // ends the connection that has the stream; nil: none has it
	parked time.Time   // since when none has it
	expire *time.Timer // nil until it was parked once

	mu     sync.Mutex // guards what follows; taken after streams.mu
	turn   int        // counts the connections that have had the stream
	events [][]byte   // the last ones made, as they go out; sent ones first
	bytes  [2]int     // of events, unsent and sent
	unsent int        // how many of events were not sent
	last   uint64     // number of the last event, from 1
	ended  bool       // no more events
}

func newStreams(ctx context.Context, keys *model.Map[[]byte]) *streams {
	return &streams{keys: keys, ctx: ctx, open: make(map[string]*stream)}
}

// seat is a connection's hold on a stream, until another connection takes it.
type seat struct {
	*stream
	turn int
	n    uint64 // the client has the events up to here
}

// resume gives a connection the stream to which an event id belongs, from after
// that event on; nil when the id says nothing here (any more). The connection
// that had the stream until now is ended.
func (s *streams) resume(id, prefix string, detach func()) *seat {
	token, number, _ := strings.Cut(id, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.open[token]
	if st == nil || st.prefix != prefix {
		return nil
	}
	turn, ok := st.take(n)
	if !ok {
		return nil
	}
	if st.detach != nil {
		st.detach()
	} else {
		st.expire.Stop()
	}
	st.detach = detach
	return &seat{st, turn, n}
}

// create begins a stream with the state. When there are too many, one that waits
// for its client makes room.
func (s *streams) create(prefix string, detach func()) (*seat, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= maxStreams {
		oldest := s.oldest()
		if oldest == nil {
			return nil, errManyStreams
		}
		s.remove(oldest)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	st := &stream{
		token: rand.Text(), prefix: prefix, cancel: cancel, detach: detach,
		more: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	s.open[st.token] = st
	go st.gather(ctx, s.keys)
	return &seat{stream: st}, nil
}

// leave says that a connection has ended. Its stream waits for the client, unless
// another connection has it or there is nothing to wait for.
func (s *streams) leave(at *seat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := at.stream
	st.mu.Lock()
	mine, ended := st.turn == at.turn, st.ended
	st.mu.Unlock()
	switch {
	case !mine:
		return
	case ended:
		s.remove(st)
		return
	}
	st.detach, st.parked = nil, time.Now()
	st.expire = time.AfterFunc(resumeWithin, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if st.detach == nil && time.Since(st.parked) >= resumeWithin {
			s.remove(st)
		}
	})
}

// oldest returns the stream that has waited longest for its client, nil if none
// waits.
func (s *streams) oldest() *stream {
	var oldest *stream
	for _, st := range s.open {
		if st.detach == nil && (oldest == nil || st.parked.Before(oldest.parked)) {
			oldest = st
		}
	}
	return oldest
}

func (s *streams) remove(st *stream) {
	st.cancel()
	if st.expire != nil {
		st.expire.Stop()
	}
	if s.open[st.token] == st {
		delete(s.open, st.token)
	}
}

// gather makes events of changes until ctx is done or the node is closed.
func (st *stream) gather(ctx context.Context, keys *model.Map[[]byte]) {
	defer st.end()
	for c := range keys.Watch(ctx, model.WatchConfig{Prefix: st.prefix, State: true}) {
		kind, data := render(c)
		for !st.put(kind, data) {
			select {
			case <-st.room:
			case <-ctx.Done():
				return
			}
		}
	}
}

// put adds an event, unless the client has too many to take already.
func (st *stream) put(kind string, data []byte) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.unsent >= maxUnsent || st.unsent > 0 && st.bytes[0]+len(data) > maxHeld {
		return false
	}
	st.last++
	text := fmt.Appendf(nil, "id: %s-%d\nevent: %s\ndata: %s\n\n", st.token, st.last, kind, data)
	st.events = append(st.events, text)
	st.bytes[0] += len(text)
	st.unsent++
	wakeUp(st.more)
	return true
}

// take gives the stream to another connection, if it can go on after event n.
func (st *stream) take(n uint64) (turn int, ok bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.ended || n > st.last || n < st.last-uint64(len(st.events)) {
		return 0, false
	}
	st.turn++
	return st.turn, true
}

// next returns the events after those that the client has, and whether others may
// come. They count as sent: a client that did not get them comes back.
func (at *seat) next() (text []byte, more bool) {
	st := at.stream
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.turn != at.turn {
		wakeUp(st.more) // it was for the other connection
		return nil, false
	}
	dropped := st.last - uint64(len(st.events))
	for _, e := range st.events[at.n-dropped:] {
		text = append(text, e...)
	}
	at.n = st.last
	st.bytes[1] += st.bytes[0]
	st.bytes[0], st.unsent = 0, 0
	drop := 0
	for len(st.events)-drop > maxSent || st.bytes[1] > maxHeld && len(st.events)-drop > 1 {
		st.bytes[1] -= len(st.events[drop])
		st.events[drop] = nil
		drop++
	}
	st.events = st.events[drop:]
	wakeUp(st.room)
	return text, !st.ended
}

func (st *stream) end() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.ended = true
	wakeUp(st.more)
}

// wakeUp wakes the one who waits for a channel of capacity 1, now or when he does.
func wakeUp(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// changeJSON is the data of an event.
type changeJSON struct {
	Key   string `json:"key"`
	Value []byte `json:"value,omitzero"` // not for delete
	Node  string `json:"node,omitempty"` // where it was written, and
	Time  string `json:"time,omitempty"` // when; not if it expired, or a repair did it
}

// render returns the kind and the data of the event for a change.
func render(c model.MapChange[[]byte]) (kind string, data []byte) {
	kind, j := "delete", changeJSON{Key: c.Key, Node: c.Replica.Node}
	if !c.Deleted {
		kind, j.Value = "set", c.Value // never nil: the codec copies
	}
	if c.Time != 0 {
		j.Time = c.Time.Time().UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	data, err := json.Marshal(j)
	if err != nil {
		panic(err) // strings and bytes have an encoding
	}
	return kind, data
}
