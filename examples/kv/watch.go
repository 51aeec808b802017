package main

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// slowClient is how long a client may leave what is sent to it unread before its
// connection is cut off.
const slowClient = 30 * time.Second

// watch answers with server-sent events, first the state, then what changes:
//
//	id: 6JMFZMQHLPBW4XHBNDTMXLYUVO-17
//	event: set                       or delete, without value; without node and time
//	                                 when the value has expired
//	data: {"key":"k","value":"base64","node":"a","time":"2026-01-02T15:04:05.678Z"}
//
// A client that falls behind is shown only the latest value of each key. One that
// comes back within two minutes, with the last id that it got in Last-Event-ID, goes
// on after that event. If the id says nothing to this daemon (any more), the first
// event is reset, with the data {}: the client must forget what it knows, and the
// state follows. A comment every 15 seconds, or what -heartbeat says, shows that the
// daemon lives.
func (a *api) watch(w http.ResponseWriter, r *http.Request) {
	query, err := parameters(r, "prefix")
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	prefix := query.Get("prefix")
	ctx, cancel := context.WithCancel(r.Context()) // also when the client has come back on another connection
	defer cancel()
	defer context.AfterFunc(a.ending, cancel)()
	if a.ending.Err() != nil {
		fail(w, http.StatusServiceUnavailable, "the daemon is ending")
		return
	}
	if r.Method == http.MethodHead {
		streamHeader(w)
		return
	}
	id := r.Header.Get("Last-Event-ID")
	at := a.streams.resume(id, prefix, cancel)
	resumed := at != nil
	if !resumed {
		if at, err = a.streams.create(prefix, cancel); err != nil {
			w.Header().Set("Retry-After", "10")
			fail(w, http.StatusServiceUnavailable, err.Error())
			return
		}
	}
	defer a.streams.leave(at)
	streamHeader(w)
	o := newOutlet(ctx, w)
	defer o.close()
	begin := ":\n\n"
	if id != "" && !resumed {
		begin = "event: reset\ndata: {}\n\n"
	}
	if o.write([]byte(begin)) == nil {
		a.follow(ctx, o, at)
	}
}

// follow writes the events of a stream until it ends, ctx is done or the client
// does not take them.
func (a *api) follow(ctx context.Context, o *outlet, at *seat) {
	beat := time.NewTicker(a.heartbeat)
	defer beat.Stop()
	for {
		text, more := at.next()
		if len(text) > 0 && o.write(text) != nil || !more {
			return
		}
		select {
		case <-at.more:
		case <-beat.C:
			if o.write([]byte(":\n\n")) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func streamHeader(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // for proxies that would wait for more
	w.WriteHeader(http.StatusOK)
}

// outlet writes to a client that may be slow. The server's timeouts are for
// requests that end.
type outlet struct {
	ctx  context.Context
	w    http.ResponseWriter
	rc   *http.ResponseController
	stop func() bool
	cut  chan struct{} // closed once the end of ctx has cut off a write
}

func newOutlet(ctx context.Context, w http.ResponseWriter) *outlet {
	o := &outlet{ctx: ctx, w: w, rc: http.NewResponseController(w), cut: make(chan struct{})}
	_ = o.rc.SetReadDeadline(time.Time{}) // a writer without deadlines does not time out either
	o.stop = context.AfterFunc(ctx, func() {
		defer close(o.cut)
		_ = o.rc.SetWriteDeadline(time.Now().Add(drainTimeout / 4))
	})
	return o
}

// write sends text at once. An error says that the stream is over.
func (o *outlet) write(text []byte) error {
	if err := o.rc.SetWriteDeadline(time.Now().Add(slowClient)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if err := o.ctx.Err(); err != nil { // the deadline may have undone the cut
		return err
	}
	if _, err := o.w.Write(text); err != nil {
		return err
	}
	return o.rc.Flush()
}

// close waits until nothing uses the response any more.
func (o *outlet) close() {
	if !o.stop() {
		<-o.cut
	}
}
