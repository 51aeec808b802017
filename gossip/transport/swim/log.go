package swim

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// logAdapter is memberlist's log. It passes lines on, counts what memberlist
// refuses and reports nowhere else, and learns which node a probe found silent.
// memberlist may hold its lock when it writes: nothing here calls it.
type logAdapter struct {
	logger  *slog.Logger
	count   *counters
	suspect func(name string)

	mu   sync.Mutex
	next [numCounters]time.Time // when a line for that reason may be logged again
}

// rejectPause is the time between two log lines for one reason: whoever can send
// us packets must not be able to fill the log.
const rejectPause = time.Second

// rejections says what a line with these words counts as; the first match holds.
// Only lines that name a sender ("from=") are about something that came in.
var rejections = []struct {
	words  string
	reason counter
}{
	{"i/o timeout", rejectStalled},
	{"handler queue full", rejectOverload},
	{"Too many pending push/pull", rejectOverload},
	{"unacceptable label", rejectLabel},
	{"double stream label", rejectLabel},
	{"double packet label", rejectLabel},
	{"Decrypt packet failed", rejectKey},
	{"could decrypt the message", rejectKey},
	{"encryption is not configured", rejectKey},
	{"state is not encrypted", rejectKey},
	{"too small to decrypt", rejectKey},
	{"cannot decrypt", rejectKey},
	{"unsupported encryption version", rejectKey},
	{"decode", rejectMalformed},
	{"decompress", rejectMalformed},
	{"missing message type", rejectMalformed},
	{"msg type", rejectMalformed},
	{"invalid msgType", rejectMalformed},
	{"truncated", rejectMalformed},
	{"label header", rejectMalformed},
	{"failed to receive", rejectMalformed},
	{"Failed to receive user message", rejectMalformed},
	{"Failed to read remote state", rejectMalformed},
}

// ordinary says at which level a line with these words is logged, whatever
// memberlist thinks of it; the first match holds. Nothing is wrong with this node
// when others restart, move, leave or fail, nor when it does so itself; who can be
// reached is what the list of members says.
var ordinary = []struct {
	words string
	level slog.Level
}{
	{"Conflicting address for", slog.LevelDebug}, // NotifyConflict has it looked into
	{"Refuting a suspect message", slog.LevelInfo},
	{"Refuting a", slog.LevelDebug}, // what this node's former life said
	{"use of closed network connection", slog.LevelDebug},
	{"connection reset by peer", slog.LevelDebug},
	{"broken pipe", slog.LevelDebug},
	{"Failed fallback TCP ping", slog.LevelDebug},
	{"Push/Pull with", slog.LevelDebug},
	{"Failed to send", slog.LevelDebug},
}

// Write takes one line, "[LEVEL] memberlist: words".
func (l *logAdapter) Write(b []byte) (int, error) {
	line := strings.TrimSpace(string(b))
	level := slog.LevelInfo
	if rest, ok := strings.CutPrefix(line, "["); ok {
		if name, words, ok := strings.Cut(rest, "] "); ok {
			line, level = words, levelOf(name)
		}
	}
	line = strings.TrimPrefix(line, "memberlist: ")
	if name, ok := suspected(line); ok {
		l.suspect(name)
	}
	reason, rejected := rejection(line)
	if rejected {
		l.count.inc(reason)
		if !l.mayLog(reason) {
			return len(b), nil
		}
		level = slog.LevelWarn
	}
	if !rejected || reason == rejectMalformed { // cut off, rather
		level = ordinarily(line, level)
	}
	if l.logger != nil {
		l.logger.Log(context.Background(), level, "swim: "+line)
	}
	return len(b), nil
}

// ordinarily returns the level of a line that would have another one otherwise.
func ordinarily(line string, otherwise slog.Level) slog.Level {
	for _, o := range ordinary {
		if strings.Contains(line, o.words) {
			return o.level
		}
	}
	return otherwise
}

func (l *logAdapter) mayLog(reason counter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Before(l.next[reason]) {
		return false
	}
	l.next[reason] = now.Add(rejectPause)
	return true
}

func rejection(line string) (counter, bool) {
	if strings.HasPrefix(line, "Got invalid checksum") { // the one that names no sender
		return rejectMalformed, true
	}
	if !strings.Contains(line, "from=") {
		return 0, false
	}
	for _, r := range rejections {
		if strings.Contains(line, r.words) {
			return r.reason, true
		}
	}
	return 0, false
}

// suspected returns the node that memberlist's own probe found silent.
func suspected(line string) (string, bool) {
	name, ok := strings.CutPrefix(line, "Suspect ")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, " has failed, no acks received")
}

func levelOf(name string) slog.Level {
	switch name {
	case "DEBUG":
		return slog.LevelDebug
	case "WARN":
		return slog.LevelWarn
	case "ERR", "ERROR":
		return slog.LevelError
	}
	return slog.LevelInfo
}
