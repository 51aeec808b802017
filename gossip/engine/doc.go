// Package engine is the pure core: anti-entropy by scuttlebutt reconciliation
// (Paper §3), made safe for real networks.
//
// It decides everything and does nothing: no sockets, clocks, goroutines or
// global randomness. Its caller hands it messages, the time, and local writes,
// and does the work that comes back:
//
//	out, err := e.Step(now, message)   // a message arrived
//	out, err := e.Write(now, "space", drafts)
//	out := e.Tick(now)                 // at e.Next() or later
//	out = e.Feed(now, ready)           // when out.Fresh was set, or a link can take more
//	for _, env := range out.Send { … } // then look at out.Changed
//
// The same calls with the same seed give the same output, byte for byte.
//
// # State
//
// For each replica the engine keeps a [log] of retained updates in version order,
// the vector V (everything up to here is known) and the horizon H. Versions are
// contiguous over all spaces, so a version that a log does not have was
// superseded, never lost (R2). A space is a name, the [model.Model] attached to
// it, and the state hash SH. The model decides which updates supersede which; an
// update of a space without a model is kept and passed on as it is (R14).
//
// # Exchange
//
// A round picks a peer and sends SYN: my digest. The peer answers ACK: what you
// lack, and my digest. FIN carries what the peer lacks. A side that still lacks
// something sends PULL and gets PUSH, at most 128 KiB of updates at a time, until
// the exchange's budget is used up: the receiver sets the pace. If the vectors are
// equal the ACK says so, with the state hashes instead of a digest.
//
// A side that lacks very much catches up: with Config.Window its PULL grants so many
// bytes, outside of the budget, and grants more when half of them have come. The peer
// keeps the place up to which it has sent, and sends without waiting while it has credit:
// each Tick one message, to all who catch up in turn. So the network and both ends work at
// the same time, what is under way is bounded by the receiver, and nobody waits for more
// than one message. A peer that has others' live messages to carry sends smaller ones, and
// pauses for a millisecond after each: those who write hardly notice the newcomer, which
// takes twice as long (TestCatchUpGivesWay). What comes is decoded into memory that the
// engine keeps, and hashed by an [Intake], before it is handed to Step, beside whatever else
// the engine does; what was sent may come back by [Engine.Reuse].
// After a loss, the first message that does not follow on the last makes the receiver ask
// anew from where it is; when nothing comes for a second, or the peer has failed, rounds go
// on with another one. Rounds of the peer do not come between its last message and the
// first PULL, unless that takes longer than answers do; then the receiver goes on in the
// exchange that the peer has begun instead (TestCatchUpBesideRounds).
//
// A digest beside which the largest update would not fit into a stream message
// goes as parts of one snapshot; the last part carries the updates. So do the
// exceptions of a dirty node, if there are so many: then they are told once for the
// exchange, and later messages carry what is new (TestManyExceptionsAndAHole).
//
// # Orders
//
// A delta that may not carry everything carries what Config.Order puts first: the
// longest beginning of that order that fits, measured by encoding. A stream message
// carries at least one update whatever the budget, so nothing gets stuck behind
// something large. The updates of a replica are one batch in version order.
//
//	Hybrid    half of the bytes: oldest first pending update first;
//	          half: newest last pending update first
//	Span      most versions behind first
//	Depth     most pending updates first (Paper §3)
//	Breadth   rank by rank: everybody's first pending update, everybody's second … (Paper §3)
//
// The others run each replica to completion before the next; ties are random, anew
// for each message. For Breadth one random sequence of replicas serves all ranks of
// a message: a new one for each rank could be told apart only where the message
// ends. A replica of which nothing is retained takes an empty batch: it counts as
// no update in Depth, as the end of the first rank in Breadth, and as written when
// it arrived in Hybrid.
//
// Hybrid's first half leaves nobody behind for ever, its second brings news past a
// backlog. The second half passes over a replica that the first has begun, and goes
// back to it only with what is left: the replica of a writer without pause is the
// oldest and the newest at once, and would have both halves. When one of 16 nodes
// writes 100 new keys a second, each of the others one, and an exchange carries a
// tenth of that, the others are at most 8 rounds behind, against 10 to 13 if it may
// have both halves, or with Depth (TestNoStarvation).
//
// Ages are by the updates' times, but at most 30 s before the update arrived here
// and not after: a clock that is wrong by an hour gains what one has that is slow by
// 30 s, or whose updates arrive at once, and the others are at most a quarter staler
// for it (TestWrongClockTakesLittle). Arrivals take no memory per update. Before each
// exchange the vector tells what has arrived since the last one; of each replica at most
// 16 such runs of versions are kept, and neighbours joined that are close together for
// their age. So the latest arrivals are known to the exchange, older ones to about the
// time they are ago.
//
// # Batches, holes and the horizon
//
// A batch is "all I retain of this replica with From < version ≤ Through" (R3).
// It is applied when From ≤ V < Through. A version in (V, Through] without an
// update is a hole: something superseded it. The hole is closed when that
// something is in the same message, or was covered by the digest that the
// message answers; the sender knows for recent drops and flags the batch. Other
// holes are open: what superseded the missing version may come later, from
// anybody who has it, or never if all of them die. Applying one raises H to the
// sender's vector when it encoded the message, and to the sender's own
// horizon where that is higher. While V is below H anywhere the node is dirty;
// a clean node's state is exactly the models' value over all updates ≤ V (R4).
//
// Two refinements of R3. A closed hole depends on the other batches of its
// message, one of which may be refused or held: so a message with closed holes
// raises H to the ends of its own batches, which changes nothing unless one of
// them was not applied (TestClosedHoleWithoutItsHeir). And it depends on what the
// receiver knew when it asked: so every message but a SYN names the receiver's
// epoch, and an incarnation that came later drops it.
//
// A node that is dirty for longer than 3 s asks for a cleaning exchange (R5). A
// clean peer takes a snapshot of all that the node lacks and sends it untruncated,
// outside of the budget, also what is overwritten meanwhile. At its end the node
// has the peer's state of the snapshot; until then it applies no open holes of
// others, so that its horizon stands still.
//
// # Identity
//
// A node that sees in a digest an incarnation of its own name that is later than
// itself, or updates under its own identity that it never wrote, takes a new
// epoch and issues its updates again (R1), at most once per Timeout. What it wrote
// under a stolen identity it forgets and fetches again. The new epoch is the wall clock's
// plus up to 65 s, at random: the clock may have stepped back to the very millisecond
// of a life that nobody has told of yet (TestNewEpochIsNotTheClocks).
//
// Two contents of one dot are a fork: it is counted, and the larger hash stays, here
// at once and everywhere by repair. R1 also freezes the replica; this engine does
// not, because vectors that can never be equal again keep repair from ever running.
//
// # What must wait
//
// An update whose time is more than MaxDrift ahead, that builds on updates which
// are not known, or for which there is no room, is not refused for good: V stays
// before it, the digest marks its replica as held, so that peers send others first,
// and it is tried again later: one that builds on others as soon as they are known.
//
// A hole may be as late as its message's clock shows. If that is more than MaxDrift ahead, a
// batch is applied up to the last update before what must wait: what comes after holes is
// later than they are. For holes at the end V stays, until this node's clock is near what
// the first such message showed; they hide no update, and nothing else waits for them. So
// what a node writes is later than all that it knows, seen or not
// (TestHolesOfAClockThatRunsAhead).
//
// # Repair
//
// An ACK that finds the vectors equal carries the state hashes. When two clean
// nodes have equal vectors and different hashes, something broke outside the
// protocol: the node that notices first drops copies that fail their content hash,
// then both sides compare hashes per replica, then dots in chunks, and take the
// union of what they retain; the model decides (R12). Nothing is removed because
// the other side does not have it.
//
// What is lost, or made up, shows in the state hashes at the next exchange that finds equal
// vectors. They do not notice when a copy changes in memory. So both sides of such an
// exchange compare what they retain with its content hashes again: all of it if that is at
// most 16,384 updates and 4 MiB, else every four seconds the next part of so much. A
// flipped bit is found at the next exchange with any neighbour then, or in a larger store
// when its part's turn comes: one of 62 for a million keys, that is within five minutes
// (TestDamageIsFoundAtTheNextExchange, TestDamageInLargeStore, TestPartsOfLargeStoreWait).
// On one core that takes about 50 ns for each update in 10,000 keys of 120 bytes, 150 in a
// million, no more than 2.5 ms in all (BenchmarkScrub); messages carry nothing for it.
// Meanwhile no damaged copy leaves the node: it is left out of what is sent, so that it
// cannot pass for a fork (TestDamageIsNotPassedOn).
//
// Models mostly show the retained updates themselves. One that is a [model.Verifier] is
// asked about them, too; in a store of several parts about a fourth of them in each turn.
// What it does not hold any more it is given again, without anybody's help.
//
// What was made up on one node is everywhere after a repair: nothing tells it from a write
// that comes late (TestDamageIsHealed).
//
// The same union helps a dirty node whose horizon names updates that died with
// their holders, for which no exchange can ever bring V up to H. A clean peer says
// its vector P; the two unite what they retain up to P, while both go on; then the
// peer says its vector Q, and the node's horizon becomes Q and what open holes
// raised since P. That takes no quiet moment (TestLostHorizonUnderConstantWrites).
// While nothing is collected, nothing needs to be removed by absence: the union does
// what R9 would. It does not help a node that has open holes above P; the cleaning
// exchange before, in which it takes no others', sees to that.
// Two dirty nodes unite and stay dirty.
//
// # Collection
//
// With Config.Collect tombstones are dropped once they are proved to be known to all
// members (R6–R8); nothing happens by age. While any wait, members write reports:
// their own last version, their clock, and up to which time they know everything. From
// these a clean node finds the stable time, if all have reported with the same members
// and the same updates of former members, and if the members are a majority of all
// nodes that are known. [Engine.Stable] says who or what stands against it. What is
// collected raises the floor of its replica.
//
// A hole below a sender's floor proves nothing to a node that was not there: it may
// retain what the collected tombstone deleted. It refuses such a batch, and is rebased
// on a clean peer first (R9): in the cleaning exchange it adopts the peer's floors, in
// the union it notes what it retains and the peer, which covers it, does not; that is
// removed when the node knows all that this peer knew. From the refusal until then it is
// not clean, and readers miss nothing; it sends no open holes, for what they hid
// elsewhere it may lack. If no clean peer is found in 15 s a dirty one will do: then the
// node is as dirty as both were, and who applies its open holes needs a rebase, too. If that
// one waits for a rebase itself, this one goes on waiting: what either shows may be dead. And
// its floors say nothing of what it retains: where anything was collected here, nothing is
// taken from it that this node knows and does not retain. A clean one cannot tell either what
// is dead if it does not know of all that was collected or is over here, or relays what this
// node retains (TestWhoWaitIsNoHelp, TestWhoKnowsLessIsNoHelp, TestWhoRelaysIsNoHelp). Who waits
// gives up when all members agree and nobody else is known: a lost one must be declared lost
// first ([Engine.Retire]). While some are clean it looks for a rebase on these first, for 15 s.
//
// A node that passes on a space that it has no model for never collects there: it may
// hand over what is dead, without a floor that would tell. So a node that applies, from
// such a peer, an update that is older than what somebody reported to be safe is rebased,
// too; and so is one that attaches a space after something was collected (R14).
//
// What a node that is not clean hands over in a repair may be dead. A node that has
// floors and takes it is not clean before the next rebase; and no repair hands
// anything to a node that has collected since it began.
//
// When all members know the same and show the same, but are not clean, they wait for
// updates of former members that nobody has any more: then the horizon falls (R12).
//
// A node with Config.Joining writes when a member has admitted it, at the latest after
// JoinTimeout: so its clock is past all that may have been collected (R11).
//
// # What is over
//
// Vectors would grow with every start of every node. So what is over travels beside the
// log, like the reports: one [Retirement] for each node name, and two of one name are
// merged (R13 has records in an internal space instead; those would be updates of
// replicas that end as well, to be written again by others for ever).
//
// A life that retains nothing and never writes again, because a later one has begun or
// its node is gone, vanishes: when a member's stable time passes the moment at which it
// last heard of that life, all members know all of it, and what superseded it. From then
// on it is left out of digests and ignored in messages. The 64 latest such epochs of a
// node are named, the older ones told by one number. The retirement carries a proof: the
// hash of the view and of the vector outside of it that all members had reported. Who
// reported that knows what it needs; who did not, and retains anything, may have missed
// what superseded something, and is rebased; so is who got something late after it
// reported.
//
// A node is gone when it leaves in order, which it says itself ([Engine.Depart]), or when
// somebody declares it lost ([Engine.Retire]). It does not count for majorities any more,
// and nobody waits for what is not here of it. If it comes back, its messages are not
// taken but answered with that: it begins a new life and issues again what it wrote after
// the last version that was known. Whoever else knows more of it takes that away and is
// rebased. So a value that a deleter had seen does not come back (TestLostNodeReturns).
//
// # Expiry
//
// An update with a TTL expires at its own time and the TTL. What a node takes for the
// time is its HLC, or its clock if that is ahead; no message says that something has
// expired. The node tells the model, which hides it; Output.Changed has it as gone. From
// then on it is dead: it supersedes what it did, and waits to be collected as
// tombstones do, for a stable time that is not before it expired. What will expire is no
// reason to report anything.
//
// A floor says that all members know all of a replica up to there, not that all of it is
// dead: what has not expired stays. A node that adopts a floor in a repair drops what has
// expired up to there by its own time and by the peer's, also below the floor that it
// had: so both drop the same, and what it hid on one of them shows on both. It need not
// be stable for that: everything older is known to all, and what has expired by one
// node's HLC has, too, for whoever hears of it.
//
// Expiring updates are not in the state hashes: one that is lost is repaired only along
// with another difference. One that is found damaged is fetched again, as are tombstones.
//
// # Spaces
//
// The updates of a space without a model are relayed, tombstones below floors included:
// they may be all that hides something when the space is attached
// (TestRepairLeavesRelayedTombstones). Detaching a space makes it one of those. Who relays
// takes no part in repairs and rebases of a space (R14); where nobody was clean for 15 s, it
// does not keep those who have the same state from giving up, either.
//
// The types of models travel beside the state hashes. A peer's state says nothing of a
// space of which it has a model of another type: it counts as a relay.
//
// [Limits] refuse local writes only. What a write would take the place of only the model
// knows: near the limit the update is applied on trial, and removed again.
//
// # Live updates
//
// The caller may keep links, connections over which messages arrive in order until they
// break ([Engine.SetLink]). What this node writes is fed to them at once, whatever the
// rounds do ([Engine.Feed]): one LIVE message for all links whose far ends lack the same.
// For each link there is a cursor per fresh replica: what the far end is known to have, by
// its digests and what came back, or was sent on the link's present life. An update crosses
// a pair once. A replica is fresh while some link lacks something of it; so cursors cost
// nothing when all have everything.
//
// LIVE is for whoever gets it: it names no receiver's epoch, for a batch that is applied
// by R3 and has no open hole is sound for any. What a node has overwritten itself is closed
// if the batch reaches its last version; what others have overwritten is closed for
// receivers that know those updates, and the message says which (Message.Digest). A
// receiver applies a message whole if it can, else what comes before the first hole; so no
// live message raises a horizon (R4). What cannot be sent without an open hole is left to
// rounds.
//
// A receiver that lacks what comes before a batch begins an exchange with the sender,
// instead of one pull for each replica (R3): it brings everything that the link has lost, in
// both directions, and tells both ends where they are. So does the first of the two ends,
// by name, of a new link. What is sent in exchanges to a peer with a link goes over the
// link, too, in order.
//
// A RECEIPT says up to which LIVE the far end has dealt with. A sender asks for about four
// with each window, the weight that a link carries without one, and what is more waits in
// the log, where it may be superseded. A window begins with 64 KiB; it grows, up to 1 MiB,
// while it is full and receipts come about as soon as they ever did, and shrinks, down to
// 16 KiB, while they come more than 5 ms, and a quarter, later: then messages queue up on the
// way or at the far end, and what waits in the log is newer (TestWindowFollowsReceipts,
// TestWindowOfDistantPeer). After a message of which most was superseded before it was sent,
// the link also rests, if the receipts of such messages are that late on the average: for
// twenty times as long as they are, 350 ms at most. To send more often would take more of
// what there is too little of, and most of that would be superseded, too (TestLinkRests,
// TestLinkRestsEvenly).
//
// [Engine.Room] says how much may be written here before more than a third of the links are
// full, and more than that waits: the caller holds writers back, if it likes. A link that
// takes nothing at all does not count after a second. Nothing else of live updates is
// bounded by a budget, or counts for one: what they leave behind for longer than two Intervals
// shows in digests, and flow control sees it there.
//
// While all wanted links are there, news do not bring rounds forward; they go on at their
// own pace. What its writer's link has brought within two Intervals, without a gap, a node wants
// from nobody else: its digests say so (DigestEntry.Held), so under load rounds neither bring
// the same as links nor, from who does not know yet what closes them, open holes
// (TestRoundsLeaveStreamsOut).
//
// In a cluster of more than Config.Mesh nodes each wants about log2 N + 3 links
// ([Engine.Neighbours]), and nodes pass on what comes over a link, or in a small exchange.
// Who gets a writer's updates twice refuses them on all links but the one over which they
// come first, by PRUNE; so a tree remains for each writer. When that link breaks, or
// exchanges are ahead of it three times in a row, it asks for them on the others again, by
// GRAFT, from where it is. When each of 20 nodes, with about 8 links each, has written three
// times, next to nothing comes twice any more (TestLiveTree).
//
// # Rounds
//
// Interval is the time between rounds. A change of the vector of which not all others
// hear by live updates brings the next round forward to MinInterval after the last one;
// about log2 N rounds follow at that pace, as many as an epidemic needs, then each waits
// twice as long up to Interval. So news spreads in milliseconds and quiet nodes stay quiet;
// while peers know the same, rounds get rarer up to MaxInterval. One round in ten tries a
// failed peer. A peer that may still answer is left alone, for four times as long as it
// usually takes.
//
// Who turns to whom is agreed on without a word: all nodes draw the same order of their
// names, anew for every cycle of about log3 N rounds by their wall clocks, and turn to those
// 1, 3, 9, … places ahead. So knowledge triples in each round, hardly anything comes
// twice, and nobody is forgotten for some seconds, as happens when partners are drawn at
// random, and then has more to fetch than a budget carries. With three quarters of
// the capacity in use nobody is ever more than 5.8 rounds behind among 64 nodes and 6.6
// among 128 (9.8 and 11.2 with a shuffled round-robin, the more divergent of the next
// two and a third at random; 10.1 and 11.9 at random), and clocks that are 2 s wrong
// change little: 6.9. With clocks that are a minute wrong it is as at random
// (bench's experiment 2). This takes the place of the choice in DESIGN §7.
//
// A node that hurries without links turns to two at a time, the schedule's partner and the
// one after: with 8 nodes over datagrams alone an update is everywhere after 23 ms instead
// of 43 (p50), and with a fifth of them lost after 44 instead of 100.
//
// Where connections cannot be made, what does not fit into a datagram is lost. When a peer
// to which there is no link has not answered two SYNs in a row, the exchanges that this
// node begins with it are narrow: messages carry no more updates than a datagram has room
// for, and follow each other as fast as they arrive. Every ninth exchange is not
// (TestStreamsThatDoNotArrive).
//
// # Limits
//
// Everything that the network can grow has a limit in [Config]: MaxPeers,
// MaxReplicas, MaxSpaces, MaxUpdate, and the sizes of messages. MaxStream defaults
// to MaxUpdate plus 64 KiB, so that the largest update always fits with its
// envelope. Replacements remembered for closed holes: 256 per replica, fewer where there
// are more than 4,096 replicas, at least 16. A node
// serves two cleaning exchanges at a time, each with a pointer and a hash per update that
// its peer lacks.
package engine
