// Package modeltest tests whether a replicated data type keeps the laws on which
// everything else relies: that nodes which know the same show the same.
//
// One call, from a test of your own, runs a model through random histories:
//
//	func TestCartKeepsTheLaws(t *testing.T) {
//		modeltest.Check(t, modeltest.Config[*Cart]{
//			New: func() *Cart { return new(Cart) },
//			Write: func(rng *rand.Rand, c *Cart) error {
//				item := []string{"tea", "rice"}[rng.IntN(2)]
//				if rng.IntN(3) == 0 {
//					return c.Remove(context.Background(), item)
//				}
//				return c.Add(context.Background(), item, 1+rng.IntN(9))
//			},
//			Value: func(c *Cart) any { return maps.Collect(c.Items()) },
//		})
//	}
//
// Write calls the methods of a [model.Handle], here bound to a host without a
// network or a lock. A model that is no handle says with Drafts what to write.
// Keep keys few, so that writes meet.
//
// # Histories
//
// In a history a few replicas write and send each other batches as nodes do (R3):
// what the sender retains of one replica up to some version. So updates of one
// replica arrive in order, those of different replicas in any; of each a node
// may know any prefix, whatever the writers had seen; and superseded updates may
// be missing, or not. Timestamps are those of a hybrid logical clock: larger
// than all that the writer has seen, and often equal at two replicas. A node may
// have two incarnations. Then fresh models are given what was written, with the
// same liberties, and in addition updates come twice or are removed again.
//
// All of it follows from Config.Seed: a failure comes back, on any machine.
//
// # Laws
//
// Beside every model, the test keeps the set of updates that it must retain: what
// Apply was given, less what Supersedes says is superseded. Whatever the way to
// such a set, the model must show what a fresh one shows that was given only this
// set, in the order in which it was written.
//
//   - Convergence: the order of arrival does not show, as long as it keeps the
//     order of each replica.
//   - Truncation: nor does it when of some replicas only the first updates are
//     known. A set need not be closed: an update may be known without what its
//     writer had seen, except for what its Deps name.
//   - Supersession: if a supersedes b, dropping b never shows. Apply reports just
//     that: in Superseded every retained update that the new one supersedes, or
//     Redundant if a retained one supersedes it.
//   - Strict order: nothing supersedes itself, no two updates supersede each other,
//     and c ▷ a ▷ b implies c ▷ b. It follows from the two updates alone: every
//     model gives the same answer, whatever it was given before.
//   - Idempotence: an update that is retained has the zero Effect when it comes
//     again, one that was superseded is Redundant, and neither shows.
//   - Removal: after Discard the model shows what the remaining updates give;
//     Apply brings the update back; a model without updates is a fresh one.
//     Removing a tombstone does not show: what it deletes it must supersede.
//   - Expiry: of a [model.Expirer], what has expired does not show, whether Expire
//     came before or after other updates. Its removal does not show either: what it
//     hid it must supersede.
//   - Verification: a [model.Verifier] verifies all that is retained, and nothing else.
//   - Determinism: the same calls have the same results. No clock, no chance, no
//     order of a Go map; Value keeps to that, too.
//   - Immutability: nobody writes into an update.
//   - Writing: local writes succeed, and drafts depend only on what their writer
//     knows. With Config.Written, they show at their writer at once.
//   - Locking: a handle calls its host as [model.Host] says. What would block a
//     node for ever is reported.
//   - Totality: no sequence of updates makes the model panic.
//
// Nobody is told during a history that something has expired: then all that a node
// retains shows.
//
// # Failures
//
// A failure shows the law, the calls that break it, and a history that was shrunk
// to what is needed:
//
//	modeltest: the model breaks the law of convergence
//	  a model with the calls Apply(b/1:1) Apply(a/1:1)
//	  got  "1"
//	  want "40", as of a model with the calls Apply(a/1:1) Apply(b/1:1), which retains the same
//	history of seed 0, shrunk from 3 steps:
//	  1. a/1 writes a/1:1 at 1ms+0: key "k", value "1"
//	  2. b/1 writes b/1:1 at 1ms+0: key "k", value "40"
//	replay: go test -run '^TestCartKeepsTheLaws$/^seed=0$'
//
// Updates are named by their dots: a/1:2 is the second of replica a/1. The last
// line runs this history alone; run it in the folder of the test.
package modeltest
