// Package flowcontrol decides how fast each node may write, so that the cluster
// is not given more updates than gossip can carry.
//
// # The problem
//
// A gossip exchange carries a bounded number of updates, and every update has to
// get to every node. When all nodes together write faster than that, each falls
// further and further behind the others, and nothing ever shows an error. Nobody
// can see the whole load; but two nodes that exchange updates see how much is
// waiting, and can agree on what each of them may do. That is section 4 of van
// Renesse, Dumitriu, Gough and Thomas, "Efficient Reconciliation and Flow Control
// for Anti-Entropy Protocols" (LADIS 2008; "the paper").
//
// # Words
//
//   - ρ, Rates.Desired: the updates per second that a node's writers want to make.
//   - τ, Rates.Maximum: those that they may make. Enforcing it is up to the caller;
//     package gossip has a token bucket that writers meet.
//   - C, Rates.Capacity: the updates per second that a node's exchanges can carry.
//   - budget: the updates that one exchange carries per direction.
//   - pending: the updates that the other side of an exchange lacks. More than the
//     budget is an overflow; pending/budget is the load.
//
// Two nodes that exchange updates tell each other ρ and τ. Then each changes its own
// τ twice, by [Participant.Observe]: [Share] levels what the two have, who wants little
// gives the rest away, who wants more than there is gets as much as the other; and a
// [Controller] adapts it to what the exchange showed. Sharing leaves the sum as
// it was, also when exchanges overlap; so controllers decide how much all write
// together, and sharing who of them.
//
// # The capacity law
//
// In an interval T a node takes part in two exchanges on average, one that it began
// and one that it answered. It must get to know (N−1)·τ updates per second, and
// cannot get more than two budgets per T:
//
//	τ ≤ 2·budget/((N−1)·T)
//
// No scheme gets all of that: the more of it is used, the more exchanges are full
// by chance, and the longer updates wait. With 128 nodes an even rate of 60 % of it
// leaves updates unseen for 6.5 s at most, 75 % for 9 s, 85 % for 11 s.
//
// # Which controller
//
// [Quota] is the default. It knows the capacity C = budget·2/T and gives each node
// η·C/N, η = 0.8. While the load is above 1.5 the quota shrinks in proportion, to 30 %
// at most: a backlog drains. A load above 1.5/0.3 shows that C is not there, because
// exchanges take longer than T, or processors are slow: for as long as it lasts C
// itself is reduced, by 3 % in the time of an exchange, to 1 % at most, and restored
// when the backlog is gone. So Quota.Rate may be what exchanges do at best. A
// cluster that is idle has no load, hence no backlog, hence the full quota; a node
// alone has all of C.
//
// [AIMD] is the paper's. It knows nothing and feels its way: five overflows in a row
// lower τ by a quarter, five exchanges in a row without one raise it by a constant. It
// begins at 0 and takes long to get anywhere. Use it where budgets or intervals of
// nodes differ so much that no quota is right, and to reproduce the paper.
//
// [Fixed] is for measuring what a cluster carries.
//
// Everybody wants more than it gets, the budget of 100 updates is halved after 90 s
// (the paper's second experiment, on real engines; TestPaperAIMD and TestPaperQuota in
// gossip/sim):
//
//	           N    at 90 s          after 150 s      settled     staleness
//	AIMD      64    1.93 (61 %)      1.00 (63 %)      37 s        5.4 s
//	AIMD     128    1.00 (63 %)      0.50 (63 %)      32 s        6.9 s
//	Quota     64    2.41 (76 %)      1.21 (76 %)      16 s        8.0 s
//	Quota    128    1.22 (78 %)      0.60 (76 %)      17 s        9.7 s
//
// In brackets the part of the capacity law; settled is the time after the halving
// until the rate stays; staleness is the age of the oldest update that some node has
// not seen, on average in steady state. Published for AIMD: 1.95 and 1.0; 1.0 and 0.5.
//
// # Where it differs from the design, and why
//
// DESIGN §6 lets τ move 15 % toward the quota with each exchange, and drains from a
// load of 1.2 on. Measured on real engines, a load of 1.3 is what 75 % of the law
// leads to: draining from 1.2 on held τ at 73 %. And the faster τ returns to the
// quota, the less a node that writes a lot keeps of what the others gave it: one hot
// node of 64 got 7 times its quota, half of them hot used 70 % of the capacity. So τ
// follows the quota at once when that changes, in proportion, and returns to it by
// 5 % per exchange only: 15 times, 75 %, and a halved budget is settled in half of
// the time.
//
// DESIGN adapts first and shares then. What is shared are rates as they were told,
// before any adaptation, so sharing comes first here: otherwise a node whose τ was
// adapted down to what it wants lost once more what it had already lost.
//
// The paper does not say when τ stops growing in a cluster that does not write. Here
// only who wants more than it may raises it, which is also what makes τ begin with
// the writes, as published.
package flowcontrol
