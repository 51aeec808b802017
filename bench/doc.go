// Command bench measures the engine.
//
//	go run ./bench paper       # the paper's experiments, in the simulator
//	go run ./bench throttle    # flow control on real sockets; not there yet
//
// # paper
//
// Real engines (package gossip/engine) run under the simulator (gossip/sim) with
// virtual time: the experiments of the paper on reconciliation (Paper §3) and flow
// control (Paper §4), beside the published figures. Figures go to bench/figures in
// a checkout of this repository, each as SVG, PNG and CSV; -out names another
// directory. The same -seed writes the same CSV.
package main
