package engine

// SpaceStatus describes a space.
type SpaceStatus struct {
	Space      string
	Attached   bool
	Type       string // of the model, or of the last one; "": it did not say
	Conflict   string // "counter at bob": another node has a model of another type; "": none is known to
	Updates    int    // retained, tombstones included
	Tombstones int
	Expired    int   // retained updates that have expired: they wait to be collected, as tombstones do
	Bytes      int64 // keys and values of retained updates
	DeadBytes  int64 // and of tombstones and expired updates among them
	Limits     Limits
	Refused    uint64 // writes, because of the limits
	Hash       Hash   // SH: of retained updates that are never collected
}

// Keys returns what Limits.MaxKeys bounds.
func (s SpaceStatus) Keys() int { return s.Updates - s.Tombstones - s.Expired }

// Stats counts what the engine did since New.
type Stats struct {
	Exchanges        ExchangeStats
	UpdatesSent      uint64 // put into messages
	UpdatesApplied   uint64 // remote updates that were new here
	UpdatesRedundant uint64 // remote updates that were known already
	UpdatesWritten   uint64 // local writes
	LiveSent         uint64 // updates put into live messages, each counted once however many peers it goes to
	LiveApplied      uint64 // updates of live messages that were new here
	LiveRedundant    uint64 // updates of live messages that were known already
	LiveGaps         uint64 // live messages of which something could not be applied: an exchange brings it
	OpenHoles        uint64 // batches applied with an open hole: the horizon rose (R4)
	BatchesRefused   uint64 // batches not applied: unknown exchange, floor above the vector, limits (R4, R9)
	Gaps             uint64 // batches that started after the vector (R3)
	Pulls            uint64 // pulls sent
	CatchUps         uint64 // times that this node began to pull much from one peer, paced by credit
	Held             uint64 // batches cut short because a clock ran ahead
	Forks            uint64 // dots seen with two contents (R1)
	Epochs           uint64 // new epochs taken (R1)
	Cleanings        uint64 // cleaning exchanges that a clean peer granted (R5)
	Rebased          uint64 // horizons freed of what died with its holders (R5)
	Reports          uint64 // written (R6)
	Expired          uint64 // updates that have, each once
	Collected        uint64 // tombstones and expired updates dropped because all members know them (R8)
	CollectedBytes   uint64 // of their keys and values
	Resets           uint64 // dotted syncs that this node went through (R9)
	Dead             uint64 // updates that those removed
	DeadBytes        uint64 // of their keys and values
	GivenUp          uint64 // replicas of former members whose lost updates are waited for no longer (R12)
	TypeConflicts    uint64 // peers seen to have a model of another type under a name that is attached here
	Vanished         uint64 // replicas of which nobody needs to know any more (R13)
	Anew             uint64 // times that this node was declared lost, and began anew (R13)
	Mismatches       uint64 // equal vectors with different state hashes (R12)
	Damaged          uint64 // retained updates that were found not to be what was retained, or missing in their model (R12)
	Repairs          uint64 // repairs started (R12)
	Repaired         uint64 // updates that repairs brought
	RepairedBytes    uint64 // of their keys and values
}

// ExchangeStats counts exchanges that this node initiated, by how they ended,
// and those it answered.
type ExchangeStats struct {
	Started  uint64
	Equal    uint64 // the vectors were the same
	Complete uint64 // this node knows all that the peer knew
	Partial  uint64 // something was left out; later rounds bring it
	Timeout  uint64 // no answer
	Answered uint64
}

// Mishaps returns the sum of Mismatches, Damaged, Forks, Anew and Resets: it costs less to
// see whether it has changed than to look at all Stats.
func (e *Engine) Mishaps() uint64 {
	s := &e.stats
	return s.Mismatches + s.Damaged + s.Forks + s.Anew + s.Resets
}
