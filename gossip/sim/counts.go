package sim

import (
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

// count is something that a simulation should see now and then.
type count int

const (
	countJoin count = iota
	countLeave
	countCrash
	countRestart
	countRestartKeeping
	countPause
	countForget
	countDetected
	countSkew
	countAttach
	countCutOff
	countLost
	countDuplicate
	countLate
	countReplay
	countToNobody
	countRefused
	countWrite
	countDelete
	countTTL
	countDependency
	countDirty
	countClean
	countClosedHole
	countOpenHole
	countBatchRefused
	countGap
	countPull
	countPush
	countCatchUp
	countRepair
	countRepaired
	countMismatch
	countEpoch
	countFork
	countAhead
	countHeld
	countTimeout
	countParts
	countCleaningAsked
	countCleaningGranted
	countCleaningRefused
	countRebased
	countReport
	countExpired
	countCollected
	countReset
	countGivenUp
	countRetire
	countVanished
	countAnew
	countHeldBack
	countReturn
	countLiveLost
	countLiveApplied
	countLiveGap
	countPrune
	countGraft
	counted
)

// countNames are the keys of Counts.
var countNames = [counted]string{
	countJoin: "join", countLeave: "leave", countCrash: "crash",
	countRestart: "restart without state", countRestartKeeping: "restart with state",
	countPause: "pause", countForget: "false removal", countDetected: "failure detected", countSkew: "clock stepped", countAttach: "late attach",
	countCutOff: "message cut off", countLost: "message lost", countDuplicate: "message duplicated",
	countLate: "late message", countReplay: "message replayed", countToNobody: "message to nobody",
	countRefused: "message refused", countWrite: "write", countDelete: "delete", countTTL: "write with a TTL", countDependency: "dependency",
	countDirty: "node became dirty", countClean: "node became clean", countClosedHole: "closed hole",
	countOpenHole: "open hole", countBatchRefused: "batch refused", countGap: "gap", countPull: "pull", countPush: "push", countCatchUp: "catch-up",
	countRepair: "repair", countRepaired: "update repaired", countMismatch: "state hashes differed",
	countEpoch: "new epoch", countFork: "fork", countAhead: "clock ran ahead", countHeld: "held replica", countTimeout: "time-out", countParts: "digest in parts",
	countCleaningAsked: "cleaning asked for", countCleaningGranted: "cleaning granted", countCleaningRefused: "cleaning refused",
	countRebased: "horizon rebased", countReport: "report", countExpired: "update expired", countCollected: "tombstone collected",
	countReset: "dead update removed", countGivenUp: "horizon given up",
	countRetire: "retire", countVanished: "replica vanished", countAnew: "node began anew",
	countHeldBack: "collection held back by a dirty member", countReturn: "return with unpublished writes",
	countLiveLost: "link broke with updates under way", countLiveApplied: "live update applied", countLiveGap: "live message with a gap",
	countPrune: "prune", countGraft: "graft",
}

// counts is how often each happened, without what the engines of present lives
// have counted themselves.
type counts [counted]uint64

func (c *counts) add(what count, n uint64) { c[what] += n }

// when counts something that may be the case.
func (c *counts) when(what count, is bool) {
	if is {
		c[what]++
	}
}

func (c *counts) drafts(all []model.Draft) {
	for _, d := range all {
		c.add(countWrite, 1)
		c.when(countDelete, d.Kind&model.Tombstone != 0)
		c.when(countTTL, d.TTL > 0)
		c.when(countDependency, len(d.Deps) > 0)
	}
}

// message counts what a message shows.
func (c *counts) message(m *engine.Message) {
	c.when(countPush, m.Kind == engine.Push)
	c.when(countPrune, m.Kind == engine.Prune)
	c.when(countGraft, m.Kind == engine.Graft)
	c.when(countParts, m.Digest.Parts > 1)
}

// asking names an exchange that its initiator began to be cleaned.
type asking struct {
	server   string
	exchange uint64
}

// cleaning counts how cleaning exchanges begin (R5).
func (s *Sim) cleaning(from, to *Node, m *engine.Message) {
	switch {
	case m.Kind == engine.Syn && m.Cleaning && m.Digest.Part == 0:
		s.counts.add(countCleaningAsked, 1)
		s.asked[asking{to.name, m.Exchange}] = true
	case m.Kind == engine.Ack && len(s.asked) > 0 && m.Digest.Part == 0:
		s.counts.when(countCleaningRefused, s.asked[asking{from.name, m.Exchange}] && !m.Cleaning && !m.Same)
		delete(s.asked, asking{from.name, m.Exchange})
	}
}

// engine adds what an engine has counted.
func (c *counts) engine(e *engine.Engine) {
	s := e.Stats()
	c.add(countOpenHole, s.OpenHoles)
	c.add(countBatchRefused, s.BatchesRefused)
	c.add(countGap, s.Gaps)
	c.add(countLiveApplied, s.LiveApplied)
	c.add(countLiveGap, s.LiveGaps)
	c.add(countPull, s.Pulls)
	c.add(countCatchUp, s.CatchUps)
	c.add(countRepair, s.Repairs)
	c.add(countRepaired, s.Repaired)
	c.add(countMismatch, s.Mismatches)
	c.add(countEpoch, s.Epochs)
	c.add(countFork, s.Forks)
	c.add(countAhead, s.Held)
	c.add(countTimeout, s.Exchanges.Timeout)
	c.add(countCleaningGranted, s.Cleanings)
	c.add(countRebased, s.Rebased)
	c.add(countReport, s.Reports)
	c.add(countExpired, s.Expired)
	c.add(countCollected, s.Collected)
	c.add(countReset, s.Resets)
	c.add(countGivenUp, s.GivenUp)
	c.add(countVanished, s.Vanished)
	c.add(countAnew, s.Anew)
}

// Counts returns how often each of the things happened that a simulation is for:
// faults, and what they led to. A long run in which one of them stays 0 tests less
// than it seems to.
func (s *Sim) Counts() map[string]uint64 {
	c := s.counts
	for _, n := range s.nodes {
		c.engine(n.engine)
	}
	all := make(map[string]uint64, len(c))
	for i, n := range c {
		all[countNames[i]] = n
	}
	return all
}
