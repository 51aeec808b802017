package engine

import (
	"bytes"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// lookback is how many of its newest versions Unsent looks at.
const lookback = 1024

// Unsent reports whether this replica retains an update of its own for a key of a
// space whose version is after the given one: a new write to the key takes its
// place. Of many versions it looks at the newest ones only.
func (e *Engine) Unsent(space string, key []byte, after clock.Version) bool {
	self := e.lookup(e.self)
	if self == nil {
		return false
	}
	if self.version > lookback {
		after = max(after, self.version-lookback)
	}
	for en := range self.log.after(after) {
		if en.update.Space == space && bytes.Equal(en.update.Key, key) {
			return true
		}
	}
	return false
}
