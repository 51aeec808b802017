package stream

import (
	"errors"
	"io"
	"math/rand/v2"
	"time"
)

// link is what is kept for one peer. All of it is guarded by Links.mu.
type link struct {
	peer  string
	queue []outgoing // waits to be written, oldest first
	bytes int        // of queue
	used  time.Time

	conn *conn  // the one that is written to; nil: none
	life uint64 // names conn
	kept bool   // there should always be one
	told bool   // Links has said that it is busy

	writing bool          // somebody writes, as something waits
	busy    *conn         // the connection that it writes to at this moment …
	batch   []outgoing    // … and what; only the writer changes it
	idle    chan struct{} // closed when the writer ends; nil: nobody waits for that

	dialing bool
	failed  uint64        // dials so far
	pause   time.Duration // after the last one that failed
	retry   time.Time     // no dialling before
	news    chan struct{} // capacity 1: for the writer, conn or failed has changed
}

// outgoing is a message that is to be written.
type outgoing struct {
	msg    []byte
	size   int                   // at most
	encode func(b []byte) []byte // appends it; nil: it is msg
}

// writeBytes is the size at which what is written in one go takes no further message.
const writeBytes = 256 << 10

// nowBytes is the size up to which a message is written by who sends it. To hand it to a
// goroutine, and to have that run, costs a good part of what it takes to write it.
const nowBytes = 4 << 10

// link returns what is kept for a peer, nil when there is no room. l.mu is held.
func (l *Links) link(peer string) *link {
	k := l.links[peer]
	if k == nil && (len(l.links) < l.cfg.MaxLinks || l.evictLink()) {
		k = &link{peer: peer, news: make(chan struct{}, 1)}
		l.links[peer] = k
	}
	return k
}

// evictLink ends a link that is not in use, if there is one. l.mu is held.
func (l *Links) evictLink() bool {
	var victim *link
	known := false // whether victim is a member
	for _, k := range l.links {
		if k.writing || k.dialing || k.kept {
			continue
		}
		member := l.cfg.IsMember == nil || l.cfg.IsMember(k.peer)
		if victim == nil || known && !member || known == member && k.used.Before(victim.used) {
			victim, known = k, member
		}
	}
	if victim == nil {
		return false
	}
	delete(l.links, victim.peer)
	if c := victim.conn; c != nil {
		l.count.inc(linksEvicted)
		c.retired = true
		l.unlink(victim)
		l.wg.Go(c.retire)
	}
	return true
}

// writeTo is a link's writer: it lives while something waits.
func (l *Links) writeTo(k *link) {
	for {
		if !l.connect(k) {
			l.abandon(k)
		}
		size, over := l.take(k)
		switch {
		case over:
			return
		case len(k.batch) == 0: // the connection broke just now
		case l.isCut(k):
			l.wrote(k, size, errCut)
		default:
			size, err := k.busy.writeAll(k.batch) // nobody else changes busy
			l.wrote(k, size, err)
		}
	}
}

// writeNow writes the one message that waits, as far as it goes at once; a writer does what
// is left. l.mu is held, but not meanwhile.
func (l *Links) writeNow(k *link) {
	l.wg.Add(1)
	defer l.wg.Done()
	size := l.begin(k)
	l.mu.Unlock()
	left, err := false, errCut
	if !l.isCut(k) {
		left, err = k.busy.writeNow(k.batch[0].msg)
	}
	l.mu.Lock()
	if left {
		l.wg.Go(func() { l.writeRest(k, size) })
		return
	}
	l.note(k, size, err)
	if !l.isOver(k) {
		l.wg.Go(func() { l.writeTo(k) })
	}
}

// writeRest writes the rest of what writeNow began, and goes on as a link's writer.
func (l *Links) writeRest(k *link, size int) {
	l.wrote(k, size, k.busy.flush())
	l.writeTo(k)
}

var errCut = errors.New("cut")

func (l *Links) isCut(k *link) bool { return l.cfg.IsCut != nil && l.cfg.IsCut(k.peer) }

// connect waits until there is a connection for what waits, dialling if need be; false:
// the peer cannot be reached.
func (l *Links) connect(k *link) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for failed := k.failed; k.conn == nil && len(k.queue) > 0; {
		if l.closed || k.failed != failed {
			return false
		}
		l.redial(k)
		l.mu.Unlock()
		select {
		case <-k.news:
		case <-l.ctx.Done():
		}
		l.mu.Lock()
	}
	return true
}

// take makes the oldest messages k.batch, to be written to k.busy; none if there is no
// connection. The writer is over when nothing waits.
func (l *Links) take(k *link) (size int, over bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.isOver(k):
		return 0, true
	case k.conn == nil:
		return 0, false
	}
	return l.begin(k), false
}

// isOver ends writing when nothing waits. l.mu is held.
func (l *Links) isOver(k *link) bool {
	if len(k.queue) > 0 && !l.closed {
		return false
	}
	k.writing = false
	if k.idle != nil {
		close(k.idle)
		k.idle = nil
	}
	l.forget(k)
	return true
}

// begin makes the oldest messages, of so many bytes, k.batch, to be written to k.busy. l.mu
// is held.
func (l *Links) begin(k *link) (size int) {
	n := 0
	for ; n < len(k.queue) && (n == 0 || size+k.queue[n].size <= writeBytes); n++ {
		size += k.queue[n].size
	}
	k.batch = append(k.batch, k.queue[:n]...)
	k.queue = append(k.queue[:0], k.queue[n:]...)
	clear(k.queue[len(k.queue) : len(k.queue)+n])
	k.bytes -= size
	k.busy = k.conn
	if k.told && len(k.queue) == 0 {
		k.told = false
		l.tellChange()
	}
	return size
}

// wrote notes how a write to k.busy ended, and does what had to wait for its end.
func (l *Links) wrote(k *link, size int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(k, size, err)
}

// note does what wrote does. l.mu is held.
func (l *Links) note(k *link, size int, err error) {
	c, messages := k.busy, len(k.batch)
	clear(k.batch)
	k.busy, k.batch = nil, k.batch[:0]
	if err != nil {
		l.count.add(dropSendFailed, messages)
		if k.conn == c {
			l.unlink(k)
		}
		l.shut(c) // its reader ends
		return
	}
	l.count.add(streamsOut, messages)
	l.count.add(streamBytesOut, size)
	if k.conn == c && c.worn(l.wearOut) {
		c.retired = true
		l.unlink(k)
	}
	switch {
	case c.over:
		l.shut(c)
	case c.retired:
		l.wg.Go(c.retire)
	}
}

// abandon drops what waits for a peer that cannot be reached.
func (l *Links) abandon(k *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.count.add(dropSendFailed, len(k.queue))
	}
	k.queue, k.bytes = nil, 0
}

// forget forgets a link of which there is nothing to remember. l.mu is held.
func (l *Links) forget(k *link) {
	if k.conn == nil && !k.writing && !k.dialing && !k.kept && k.pause == 0 && l.links[k.peer] == k {
		delete(l.links, k.peer)
	}
}

// dial makes one attempt to connect, when the pause since the last is over.
func (l *Links) dial(k *link) {
	err := l.attempt(k)
	l.mu.Lock()
	defer l.mu.Unlock()
	k.dialing = false
	if err != nil {
		k.failed++
		k.pause = min(max(2*k.pause, l.cfg.RetryMin), l.cfg.RetryMax)
		k.retry = time.Now().Add(k.pause/2 + rand.N(k.pause+1))
		if l.ctx.Err() == nil {
			l.count.inc(dialsFailed)
			l.cfg.Logger.Debug("stream: dial", "peer", k.peer, "err", err)
		}
	}
	k.tell()
	if k.kept {
		l.redial(k)
	}
	l.forget(k)
}

func (l *Links) attempt(k *link) error {
	l.mu.Lock()
	wait := time.Until(k.retry)
	l.mu.Unlock()
	pause := time.NewTimer(max(wait, 0))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
	l.mu.Lock()
	connected := k.conn != nil // by the peer, meanwhile
	l.mu.Unlock()
	if connected {
		return nil
	}
	raw, err := l.cfg.Dial(l.ctx, k.peer)
	if err != nil {
		return err
	}
	if !l.track(raw) {
		return l.ctx.Err()
	}
	c, err := l.dialHandshake(raw, k.peer)
	if err != nil {
		l.refuse(raw, err)
		return err
	}
	l.count.inc(linksDialed)
	l.attach(c)
	return nil
}

// tell wakes the writer. l.mu is held.
func (k *link) tell() {
	select {
	case k.news <- struct{}{}:
	default: // it has not seen the last yet
	}
}

// attach makes c its peer's connection, or finishes it if the one that is there is to
// stay. It is read until it ends in any case.
func (l *Links) attach(c *conn) {
	c.press, c.spares = l.press, &l.spares
	c.now, _ = c.Conn.(NowWriter)
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.link(c.peer)
	if k == nil || l.closed {
		l.count.inc(linksEvicted)
		l.shut(c)
		return
	}
	old, now := k.conn, time.Now()
	// Should it break at once, again and again, dialling is not a loop without a pause.
	k.used, k.pause, k.retry = now, 0, now.Add(l.cfg.RetryMin)
	if old == nil || c.replaces(old, l.cfg.Name) {
		l.lives++
		k.conn, k.life = c, l.lives
		l.tellChange()
	}
	for _, loser := range []*conn{old, c} {
		if loser != nil && loser != k.conn {
			l.count.inc(linksDuplicate)
			loser.retired = true
			if k.busy != loser { // else its writer does it
				l.wg.Go(loser.retire)
			}
		}
	}
	k.tell()
	l.wg.Go(func() { l.read(c) })
}

// replaces reports whether c is to be used instead of old, a connection to the same
// peer: both ends come to the same answer.
func (c *conn) replaces(old *conn, self string) bool {
	if c.dialed == old.dialed || c.instance != old.instance {
		return true // the dialler has given the older one up, or the peer is another process
	}
	return c.dialed == (self < c.peer)
}

// read delivers what comes over a connection until it ends.
func (l *Links) read(c *conn) {
	var err error
	for err == nil {
		var msg []byte
		if msg, err = c.readFrame(l.cfg.MaxMessage); err == nil {
			l.cfg.Deliver(msg)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !errors.Is(err, io.EOF) && !c.retired && !l.closed {
		l.count.reject(err)
		l.count.inc(linksBroken)
		l.cfg.Logger.Debug("stream: connection broke", "peer", c.peer, "err", err)
	}
	k := l.links[c.peer]
	if k != nil && k.conn == c {
		l.unlink(k)
		l.forget(k)
	}
	if k != nil && k.busy == c && errors.Is(err, io.EOF) {
		c.retired, c.over = true, true // who has said all still reads: let the write come to its end
		return
	}
	l.shut(c)
}

// shut closes a connection and forgets it. l.mu is held.
func (l *Links) shut(c *conn) {
	_ = c.Close()
	delete(l.conns, c.Conn)
}
