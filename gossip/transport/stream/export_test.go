package stream

// SetWearOut makes sealed connections give way to new ones after so many bytes.
func (l *Links) SetWearOut(bytes uint64) { l.wearOut = bytes }

// Open returns how many connections there are, and how many of them are incoming ones
// whose handshake is under way.
func (l *Links) Open() (all, pending int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns), l.pending
}

// AtRest reports whether nothing is written or dialled.
func (l *Links) AtRest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.links {
		if k.writing || k.dialing {
			return false
		}
	}
	return true
}

// DialedBy returns who has dialled the connection to a peer, "" if there is none.
func (l *Links) DialedBy(peer string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.links[peer]
	switch {
	case k == nil || k.conn == nil:
		return ""
	case k.conn.dialed:
		return l.cfg.Name
	}
	return peer
}
