package gossip

import (
	"context"
	"log/slog"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
)

// trouble is what an operator should hear of when it happens, counted.
type trouble struct{ mismatches, damaged, forks, anew, resets uint64 }

func troubleOf(s engine.Stats) trouble {
	return trouble{s.Mismatches, s.Damaged, s.Forks, s.Anew, s.Resets}
}

func (t *trouble) sum() uint64 { return t.mismatches + t.damaged + t.forks + t.anew + t.resets }

// noteTrouble logs what has happened since the last call. order is held, mu is not.
func (n *Node) noteTrouble() {
	if n.engine.Mishaps() == n.trouble.sum() {
		return
	}
	was, now := n.trouble, troubleOf(n.engine.Stats())
	n.trouble = now
	for _, t := range []struct {
		level    slog.Level
		now, was uint64
		what     string
	}{
		{slog.LevelWarn, now.mismatches, was.mismatches, "a node that knows the same shows something else: repairing"},
		{slog.LevelError, now.damaged, was.damaged, "an update, or what shows of it, was damaged in memory: mending that"},
		{slog.LevelError, now.forks, was.forks, "an update has two contents: two processes write under one identity"},
		{slog.LevelWarn, now.anew, was.anew, "this node was declared lost: it begins anew"},
		{slog.LevelInfo, now.resets, was.resets, "brought up to date on what was deleted while this node was away"},
	} {
		if t.now > t.was {
			n.log.Log(context.Background(), t.level, t.what, "times", t.now-t.was, "total", t.now)
		}
	}
}
