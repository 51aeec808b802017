// Package model holds the replicated data types, and the contract by which
// anybody can write one.
//
// A [Model] is the state of one space: a name under which the same type of model
// is attached on every node ("settings", "carts"). The engine brings every
// [Update] of a space to every node that attached it; the model says two things
// about an update: how it changes the state, and which retained updates it makes
// redundant. It never sees messages, vectors, peers or retries.
//
// # Models in this package
//
//	you want                                          model       when two write at the same time
//	a value for each key: settings, routes, flags     Map         the later write wins
//	how often, how much: hits, quotas, votes          Counter     both count; a reset takes what it has seen
//	who or what belongs: members, tags, carts         Set         an add wins over a remove
//	a value that nobody may lose: documents, drafts   Register    both values stay until somebody has seen both
//	what happened: an audit trail, a feed, a chat     Log         both are there, in one order everywhere
//	what each node is: role, load, address            Presence    they cannot: each node sets its own
//
// [Map] is for nearly everything, and costs least. [Map.SetTTL] sets a value that expires:
// it hides what is older as long as it is held, but does not show any more. Do not keep a number in it that
// several nodes change by [Map.Update]: of two changes at the same time one is lost;
// that is what [Counter] is for. Do not keep a list in a value for the same reason;
// use a [Set], or a [Log] if the order counts. A [Register] never loses a value, but
// then somebody must decide; [Register.Resolve] is the place. A [Log] keeps everything
// until nodes truncate what they appended. [Presence] is for what is true only while
// its node is there.
//
// Map, Counter, Set and Register hold any number of keys, counters, sets and
// registers by name: one space is enough. Each type's comment states its conflict rule
// in its first sentence, and what it costs.
//
// Models here are typed handles: what a program attaches to a node is also what
// it reads and writes. The zero value of a handle is ready to be attached. Until
// then it reads as empty, and its writes return [ErrDetached]; so it does again when
// its space is detached. From then on its methods are safe for concurrent use; attaching
// itself must happen before other goroutines use the handle. A handle is attached once.
//
// # Watching
//
// [Map.Watch] is a loop over what changes, local and remote writes alike, on
// request with the state first. It shows every key's latest value, the last one
// included, and skips what came in between when it is slower than the writes; it
// never holds them up. The other models have the same. [Map.Update] changes a value
// depending on what it is.
//
// # Laws
//
// Nodes receive updates in different orders, twice, or, when something newer is
// known already, never. Whatever happens, nodes that know the same must show the
// same. In words:
//
//  1. The value of a model depends on the set of updates it retains, and on
//     nothing else: not on their order, not on the time of day, not on chance.
//     What has expired is part of the set, though it does not show.
//  2. Updates of one replica arrive in the order of their versions; those of
//     different replicas in any order. Every such order gives the same value.
//  3. Applying an update again changes nothing.
//  4. "a supersedes b" means that dropping b never changes the value, whatever
//     else is known, then or later. The engine drops b for good, and may do so on
//     one node long before another.
//  5. Supersedes is a strict partial order and is decided from the two updates
//     alone: nothing supersedes itself, and if c supersedes a, and a supersedes b,
//     then c supersedes b, also on a node that has never seen a.
//  6. Of the updates that a model retains, none supersedes another: Apply reports
//     every one that became redundant, or the new one itself.
//
// Law 4 is the one to think about. A counter that adds increments must not
// supersede an increment by the next one; a counter whose updates carry the
// replica's running total may.
//
// The usual mistakes, and the law of package modeltest that each breaks:
//
//	the order of arrival decides                            convergence
//	equal timestamps are not told apart, for instance       supersession
//	  by the dots of their updates
//	an increment supersedes the one before                  supersession
//	a delete leaves no trace, so that what it deleted       supersession
//	  comes again from somebody else
//	a delete hides instead of superseding                   removal: deletes are collected
//	a context of overwritten dots alone: what those had     strict order
//	  overwritten is alive where they never arrive
//	the engine's vector as a context: it covers what        strict order
//	  came with other keys, and was not seen with this one
//	what has expired is hidden by the clock of its reader   determinism
//
// Package [github.com/insecure-scuttlebutt/scuttlebutt/model/modeltest] checks the
// laws: one call of its Check, from a test of your own, runs your model through
// random histories, and shows the smallest one found that breaks a law.
//
// # Writing a model
//
// Decide what an update says and encode it in Key, Value and Kind. An update that
// only removes something has the bit [Tombstone] in its Kind: such updates are
// collected once every member is known to have them.
//
// Implement [Model]. Apply may keep the pointer it is given, and should: the
// bytes of an update are copied once into the engine's log, so a model that refers
// to them stores nothing twice. Never change an update, and never do anything in
// Apply but compute: it runs while the node's lock is held.
//
// To let updates expire, implement [Expirer] and give drafts a TTL. The engine tells the
// model when: so all of a node's readers and watches see it at the same moment, and
// Apply need not ask for the time.
//
// Implement [Verifier], so that a node notices when its memory fails, and mends it. A
// model that looks for what it is given in a lot of memory may implement [Preparer], one that
// retains one update for each key [Finder].
//
// Implement [Typed], so that nobody attaches another model to the same space elsewhere.
//
// To give the model methods for its users, implement [Handle]: keep the [Host]
// that Bind receives, read between RLock and RUnlock, and write by putting a
// [Draft] into the [Tx] of Host.Write. Inside that function the state stands
// still, so a write may depend on what it reads. The example named custom is a whole
// model in 60 lines, with its test; [Map] is short, too.
//
// [Map.Get] is the exception to reading between RLock and RUnlock: it finds a value without
// the lock, in a table of words that are loaded and stored atomically, and takes the lock to
// be sure that there is none, or that it has not expired. So on two processors half as many
// reads again fit into a second, and few wait for a message that is being applied; of one,
// they may show a part. That is all that this package, which otherwise only computes, knows
// of concurrency: it starts nothing and waits for nothing.
//
// A host may know more, and a handle may ask for it in Bind: who it writes as
// ([SelfHost]), up to when all members know everything ([StableHost]), who is there
// ([MemberHost]), a number that nobody can guess ([SeedHost]). One may take a draft without
// a function ([DraftHost]).
//
// A model in which an update takes the place of what its writer has seen, whatever the
// clocks say, carries a version vector of its key in Update.Context, made of the dots that
// it replaces and of their contexts; [Set] and [Register] share theirs in siblings.go.
//
// To let them watch it, implement [Watcher], which gathers changes and knows which
// of them make others unnecessary, and range over Host.Watch, which waits.
package model
