// Package gossip keeps application state in sync among the nodes of a cluster:
// every node holds all of it, reads and writes it locally, and tells others. There
// is no leader and no quorum; nodes that are cut off go on and agree when they
// meet again.
//
//	node, err := gossip.Start(ctx, gossip.Config{
//		Name: "amy",                          // stable, unique in the cluster
//		Bind: "10.0.0.1:7946",                // UDP and TCP
//		Join: []string{"gossip.example:7946"}, // any nodes that may be there already
//	})
//	if err != nil {
//		return err
//	}
//	defer node.Close()
//
//	var colours model.Map[string] // from package model
//	if err := node.Attach("colours", &colours); err != nil {
//		return err
//	}
//	if err := colours.Set(ctx, "sky", "blue"); err != nil { // here at once, there soon
//		return err
//	}
//	colour, ok := colours.Get("sky") // never waits for the network
//	for c := range colours.Watch(ctx, model.WatchConfig{State: true}) { // what is there, then what changes
//		fmt.Println(c.Key, c.Value)
//	}
//
// A node carries any number of spaces; each is a name and a model. A node that does
// not attach a space passes its updates on, and [Node.Detach] makes it one of those. What
// a model is, and how to write one, is said in package model.
//
// All nodes must attach the same type of model under one name. Models that say their
// type, as those of package model do, are refused with [ErrModelType] where another
// type is known: here earlier, or at another node. Two nodes that attach different
// types before they hear of each other both go on; then it is logged and counted, and
// Status.Spaces says so for as long as it is true. What such a space shows makes no
// sense, and no state is repaired after the other node's.
//
// # What is promised
//
// A write shows at once on the node where it was made, and on every other node about
// a millisecond later: see Live updates. Nodes that know the same show the same, whatever was lost,
// delayed or repeated on the way; Status.Clean says whether what a node shows is
// the exact value of what it knows. Nothing is on disk: a write that no other node
// has yet is lost when its node dies, and all is lost when all nodes are gone.
// [Node.Leave] hands over what is new before it goes; [Node.Close] does not.
//
// A node that restarts is a new replica of the same name, which fetches what it
// missed. Two live nodes with one name cannot be: the later one fails with
// [ErrNameTaken], in Start or, if they could not see each other then, by itself
// later on; watch [Node.Done].
//
// # Members
//
// [Node.Members] lists who is there, as this node sees it, with what each says of
// itself: Config.Metadata, later [Node.SetMetadata], in any form and of any size up to
// Config.MaxUpdate. [Node.MemberEvents] is a loop over what changes. Metadata is a
// model.Presence in a space of the node's own; for typed values, or several of them,
// attach one. A node that fails shows none until it returns; when it has been gone for
// Config.RemoveAfter, or leaves, the first by name of the others deletes what there is.
//
// # Concurrency
//
// All methods of Node, and of the handles of package model, are safe for
// concurrent use. Reads take a read lock for as long as they look something up;
// they wait for no message, but for at most the application of one, of about
// 128 KiB, and on several processors not for each other. To get a value of a map that does
// not expire takes no lock, nearly always. Writes are applied one at a time. No callback
// runs under the lock: the body of an iteration may call whatever it likes and take its time.
//
// A watch is a loop over the changes of a model. Writes and messages do not wait for
// it: what it has not shown yet gathers, one entry per key, and when it
// comes back it is shown the latest. It costs a write, or an update from
// elsewhere, the time to note it in each watch of its space; without watches,
// nothing. A watch ends when the node closes, after the last change.
//
// The context of a call bounds waiting; one that is done already refuses a write.
//
// # Live updates
//
// A node keeps a connection, a link, to each other one, in clusters of up to 16. What it
// writes goes out over all of them at once, encoded once; what is written while a message
// is on its way to the network, or within 2 ms of it, goes with the next. In larger
// clusters nodes have about log2 N + 3 links and pass on what is new. Nothing is sent to who is known to have
// it, and what is overwritten before its turn comes is not sent at all. A peer that does
// not keep up has at most a window of such updates under way, which shrinks to 16 KiB and is
// never above 1 MiB; the rest waits where it is kept anyway, and holds up nobody else.
//
// Links promise nothing. Rounds go on once per Config.Interval, and less often while
// nothing changes; they find what was missed. While some link cannot be made, because
// connections are refused, say, or with Config.RoundsOnly, rounds carry everything: then a
// node with something new begins an exchange within Config.MinInterval.
//
// # Catching up
//
// A node that lacks much fetches it from one peer, outside of exchanges' budgets: as fast
// as it can apply it, with at most Config.Window bytes under way. What has come counts:
// when the peer dies, another one goes on from there. Who serves several nodes gives
// each its part in turn, one message at a time, and deals with everything else in between;
// while others write it sends no more than 64 KiB each millisecond, so that they hardly
// notice. Status.CatchUp says how far it is. Config.CompressAbove makes less of it on a slow
// network.
//
// # Flow control
//
// Exchanges carry Config.Budget bytes per direction, and computers have only so
// many processors: a cluster that is given more updates than gossip can carry would
// fall behind without end. So nodes agree on how fast each may write (package
// flowcontrol), and writes meet a token bucket at that rate: Set, Update and Delete
// wait for their turn, in the order in which they came, for as long as their context
// allows; TrySet returns [ErrThrottled] instead. Reads, and updates from others, never
// wait for it. What to expect:
//
//   - A node alone is not held back, nor is a burst of about one budget: with the
//     defaults 1 MiB, some ten thousand small updates.
//   - A cluster is not held back either while gossip keeps up. Its capacity is taken to
//     be what exchanges carry that follow each other after Config.MinInterval, and
//     reduced for as long as backlogs show that less than that takes place.
//   - What links have brought in time is no backlog. The capacity is that of exchanges
//     all the same: they have to carry everything when links break.
//   - Under overload all who want more than there is get the same rate, those who want
//     little get what they want, and nobody gets less than 1 % of an equal share.
//   - An update in whose place another one comes before most others had it costs
//     nothing: a key that is set a thousand times between two messages is sent once,
//     and paid for once. So is setting it while others wait. Where there are links, that
//     is true of all that a node has written while it is no more than 256 KiB.
//   - While more than a third of the links are full, and have been for 20 ms, a write
//     waits until what was written before is on its way, for 100 ms at most: under
//     overload what arrives is some ten milliseconds old, and not some seconds. A peer that
//     does not read holds nobody back for more than a second.
//   - While a node fetches very much, in a cluster of two or three, writes may be held
//     back to 1 % of the capacity.
//
// Status.Rates has the rates. [FlowQuota] is the default; [FlowAIMD] is the paper's
// controller, slower, but without assumptions; with [FlowOff] nobody ever waits. All
// nodes should agree: one that takes no part writes as it likes, and others give way.
//
// # Errors
//
//   - [ErrClosed]: the node was closed, or is leaving. Reads still work.
//   - [ErrNameTaken]: another live node has the name.
//   - [ErrTooLarge]: one update is larger than Config.MaxUpdate. Nothing was written.
//   - [ErrThrottled]: gossip cannot carry more now, and the write was told not to wait,
//     or, then wrapped with the context's error, not any longer. Nothing was written.
//   - [ErrQuota]: the space is full (see [SpaceConfig]). Nothing was written.
//   - [ErrJoining]: the node has found others a moment ago, and the write was told not to
//     wait.
//   - [ErrAttached], [ErrNotAttached]: the space has a model already, or has none.
//   - [ErrModelType]: the space has, or had, a model of another type.
//   - [model.ErrDetached]: the space was detached.
//   - [ErrClock]: this node's clock is far ahead of most others'; its writes would
//     win over everybody's for that long. Nothing was written.
//
// What arrives from the network and makes no sense, comes from another cluster,
// or from a node with another MaxUpdate, is dropped, counted, and logged once for
// each reason. It changes nothing. What cannot be sent is counted: later rounds
// bring it.
//
// # Limits
//
// Names of nodes, clusters and spaces have at most 128 bytes. An update, key and
// value and about 100 bytes, has at most Config.MaxUpdate, which all nodes must
// set alike. A node keeps track of 10,000 peers, 100,000 replicas (one for each
// start of each node that wrote) and 1,000 spaces. All data is in memory, once. All
// queues of the transport are bounded; see package swim.
//
// # Deleting
//
// What is left of a deleted key, its tombstone, is dropped when all members are proved to
// know it: no grace period, so nothing deleted comes back. While some wait, members tell
// each other what they know, at most every Config.ReportInterval; about three of these
// later the tombstones are gone, and nothing is said any more. It takes a majority of all
// nodes that are known, and all members: a node that failed counts as one for
// Config.RemoveAfter. Status.Waiting, and the metric collection_blocked, tell who or what
// it waits for. A node that was away for longer is brought up to date when it comes back:
// what was deleted meanwhile goes, what it wrote alone stays.
//
// A node that leaves in order does not count any more. One that is lost for good does,
// until [Node.Retire] says so: for nodes that were replaced under another name, or that
// are too many for a majority without them.
//
// A node that starts and finds others takes local writes when one of them has taken it for
// a member, a few messages later: Set waits for that, TrySet returns [ErrJoining]. If
// nobody does it serves alone after five seconds.
//
// [Node.AttachWith] limits what local writes make of a space. Others' writes are always
// taken, so a space may be over its limits; then deletes, and writes that take the place
// of at least as much, still go through. Each node has limits of its own.
//
// # Expiry
//
// A value with a TTL (model.Map.SetTTL) is gone at its writer's time and the TTL, on all
// nodes: by the clock of each, or the latest clock that it has heard of if that is ahead.
// Nobody has to be told, so it holds on both sides of a partition, and on a node alone. A
// node notices within milliseconds of that time, for all its readers and watches at
// once; nothing comes back when its clock is set back. What has expired is kept as
// tombstones are.
//
// # Metrics
//
// With Config.Metrics a node registers what follows, under a label node with its
// name, so that many nodes may share a registry, and takes it back when it closes.
// Values are read when they are scraped. Names that end in _total only grow.
//
//	name                                labels              unit       meaning
//	scuttlebutt_exchanges_total         result              exchanges  begun here: equal (same vectors), complete (this node
//	                                                                   has all that the peer had), partial, timeout
//	scuttlebutt_exchanges_answered_total                    exchanges  begun by others
//	scuttlebutt_updates_total           direction           updates    sent (in exchanges), received (new here), redundant
//	                                                                   (received, known already), written (here)
//	scuttlebutt_live_updates_total      direction           updates    of live messages: sent (once, however many peers it goes
//	                                                                   to), received (new here), redundant (known already)
//	scuttlebutt_live_gaps_total                             messages   live ones of which something could not be applied, for want
//	                                                                   of what comes before; an exchange brings it
//	scuttlebutt_links                                       links      connections over which live updates come and go
//	scuttlebutt_bytes_total             direction, channel  bytes      sent and received, by datagram and stream, as encoded
//	scuttlebutt_messages_total          direction, kind     messages   syn, ack, fin, pull, push, repair, live (fresh updates),
//	                                                                   receipt (of live ones), prune and graft (of which
//	                                                                   writers live ones are wanted, in a large cluster)
//	scuttlebutt_dropped_total           reason              messages   received: version, cluster, malformed, refused (by the
//	                                                                   protocol); to be sent: no_peer, queue_full, too_large,
//	                                                                   closed, send (anything else)
//	scuttlebutt_transport_total         counter             any        the transport's own counters; see package swim
//	scuttlebutt_open_holes_total                            batches    applied while something that supersedes is missing
//	scuttlebutt_batches_refused_total                       batches    not applied; later rounds bring them
//	scuttlebutt_gaps_total                                  batches    began after what is known; asked for again
//	scuttlebutt_pulls_total                                 messages   requests for more
//	scuttlebutt_catch_ups_total                             catch-ups  begun: much was fetched from one peer
//	scuttlebutt_catch_up_versions       state               versions   have, lacking: of what is being fetched so
//	scuttlebutt_held_total                                  batches    cut short because their writer's clock runs ahead
//	scuttlebutt_forks_total                                 updates    seen with two contents: two writers used one identity
//	scuttlebutt_epochs_total                                epochs     taken after the start, having met an own later life
//	scuttlebutt_type_conflicts_total                        events     a peer was seen to have a model of another type in a
//	                                                                   space that is attached here
//	scuttlebutt_mismatches_total                            events     same vectors, different state: a defect; repaired
//	scuttlebutt_cleanings_total                             exchanges  that a clean peer granted, to clean this node
//	scuttlebutt_rebased_total                               replicas   whose horizon was freed of what died with its holders
//	scuttlebutt_repairs_total                               repairs    begun
//	scuttlebutt_repaired_updates_total                      updates    that repairs brought
//	scuttlebutt_repaired_bytes_total                        bytes      of their keys and values
//	scuttlebutt_damaged_updates_total                       updates    that were not in memory any more what they were when they
//	                                                                   came; fetched again
//	scuttlebutt_reports_total                               reports    written, to the other members, of what is known here
//	scuttlebutt_collected_updates_total                     updates    tombstones and expired ones, dropped since all members
//	                                                                   know them
//	scuttlebutt_collected_bytes_total                       bytes      of their keys and values
//	scuttlebutt_resets_total                                resets     this node was brought up to date on what was collected
//	                                                                   without it
//	scuttlebutt_reset_updates_total                         updates    that those removed
//	scuttlebutt_reset_bytes_total                           bytes      of their keys and values
//	scuttlebutt_vanished_total                              replicas   of which nothing has to be known any more
//	scuttlebutt_retired_nodes                               names      of which something is over: left, lost, or restarted
//	scuttlebutt_stable_lag_seconds                          seconds    age of the oldest tombstone or expired update that waits to
//	                                                                   be collected; 0: none does
//	scuttlebutt_collection_blocked                          reasons    members and conditions that keep it from being collected,
//	                                                                   named in Status.Waiting
//	scuttlebutt_staleness_seconds                           seconds    histogram, 1 ms to 5 min, fine from 50 to 500 ms and from
//	                                                                   5 to 30 s: age of remote updates when applied
//	scuttlebutt_clean                                       0 or 1     1: state is exact for all that is known
//	scuttlebutt_pending                                     updates    that peers have and this node has not, as last seen
//	scuttlebutt_replicas                                    replicas   of which something is known
//	scuttlebutt_members                 state               nodes      alive, suspect, failed, left; this one included
//	scuttlebutt_retained_updates        space               updates    held, tombstones included
//	scuttlebutt_tombstones              space               updates    held that only remove something
//	scuttlebutt_expired_updates         space               updates    held that have expired
//	scuttlebutt_stored_bytes            space               bytes      of keys and values held
//	scuttlebutt_dead_bytes              space               bytes      of those, what belongs to tombstones and expired updates
//	scuttlebutt_space_limit             space, limit        any        keys: what retained updates less tombstones and expired
//	                                                                   ones may be; bytes: what stored bytes may be; infinite
//	                                                                   without a limit
//	scuttlebutt_quota_refused_total     space               writes     of this node, refused because the space is full
//	scuttlebutt_write_rate              rate                updates/s  desired (ρ: written, or wanted while writes wait), maximum
//	                                                                   (τ: may be written; infinite while none is held back),
//	                                                                   capacity (C: what exchanges carry)
//	scuttlebutt_throttled_total                             writes     refused because they would have had to wait
//	scuttlebutt_writers_waiting                             writes     that wait for their turn
//	scuttlebutt_write_wait_seconds                          seconds    histogram: how long writes waited that were held back
//	scuttlebutt_watchers                                    watches    under way
//	scuttlebutt_watch_pending                               changes    kept for watches: not shown yet, or being shown
//
// Without flow control its four metrics are not there. Spaces that this node does
// not attach are counted together under the empty name.
package gossip
