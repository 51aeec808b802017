// Command bench will measure the engine. It is not there yet, and exits with
// status 1.
//
// What comes, one subcommand each:
//
//   - figures: the paper's experiments on reconciliation (§3) and flow control
//     (§4), run in the simulator, next to the published figures;
//   - catch-up: how long a node that was away takes to know everything;
//   - latency: how long a write takes to be seen by every node;
//   - throughput: how many updates per second a cluster carries.
package main
