// Package swim is the transport for real networks: hashicorp/memberlist, UDP for
// datagrams, and connections that stay (package stream) for streams, all on one port.
//
//	tr, err := swim.Start(ctx, swim.Config{
//		Name: "a",
//		Bind: "10.0.0.1:7946",
//		Join: []string{"seeds.example.com:7946"},
//		Key:  key,
//	})
//
// memberlist supplies membership, failure detection, addresses and the encryption of
// packets. No state of the application travels in node metadata, broadcasts or
// exchanges of member lists; compression is off. The first byte of an incoming connection
// says whether it is memberlist's or a link.
//
// # What is promised
//
// A message arrives whole and unchanged, on the channel it was sent on, or not at
// all. Order is promised on no channel. Send never waits: datagrams wait in one
// queue for a goroutine that writes them, streams in a queue for each peer, whose
// goroutine lives while it has work; a small one is written at once if the connection
// takes it. The first one connects, unless the peer has done so; the connection stays; with
// Link there always is one. When a peer cannot be reached, all that waits for it is
// dropped; it would be old by the time the peer is back. When membership finds that a
// peer failed or left, its connection is closed. A receive queue that is full drops
// datagrams; streams wait at their sender while three quarters of it are full.
//
// Each datagram ends in one byte that says so: memberlist hands over this package's own
// questions the same way.
//
// # Limits
//
// Each queue, the members remembered, the links and the other incoming connections have a
// limit in Config. An incoming connection too many closes the oldest one that is no
// link: those that do work live for milliseconds, so it is one that says nothing. Every
// connection has a deadline, in both directions; on a link it is one for progress.
//
// Without a key anybody who can reach the ports can join, pretend to be a member,
// and make a node reserve up to 20 MiB for each connection. With a key, packets and
// streams that were not made with it have no effect but a count.
//
// With or without one, packets and membership's streams can be recorded and sent again,
// by anybody; links refuse that. The receiver must not mind repetitions. To membership
// they are old news, which loses against newer: but a node of which memberlist has
// forgotten that it left or failed (after Config.GossipToTheDead) can be made to appear
// again, until it has failed to answer; and a repeated answer to a probe can hide a
// failure for a probe or two. Who is there stays a member, and keeps its name
// (TestReplay).
//
// # Joining
//
// Start makes one attempt, bounded by Config.JoinTimeout. While a node is alone it
// goes on trying its seeds, and failed members it remembers, with pauses that
// double from Config.JoinInterval to Config.JoinMax; the names of seeds are
// resolved anew each time, and the node's own address is no seed. A node that is
// not alone dials a few of the seeds and failed members that are not in the
// cluster every Config.RedialInterval, so that the sides of a partition meet again
// however long it lasted. The first of these pauses are shorter, from
// Config.JoinInterval on, and then it also exchanges lists with a member that it has:
// packets tell of changes a few times only, and miss somebody when many nodes start
// at once. All pauses are spread by half.
//
// # Leaving
//
// Close tells three peers over connections that this node leaves, and ends when
// they have answered; they tell the others. Peers that leave, too, do not count and
// are not waited for; of those that do not answer none is, once another has.
//
// # Members
//
// Alive is what memberlist believes alive. Suspect are those among them that this
// node's own probes find silent; that another node suspects one does not show.
// Failed and Left members are listed for Config.RemoveAfter. Left is never guessed:
// the node said so, to somebody. Failed nodes may be sent to, nodes that left not.
//
// # Two processes of one name
//
// Each process has an incarnation, its start time and a random number, in its node
// metadata. Of two that claim a name the later one gives up, provided that the
// earlier one answers at its address, to a question drawn anew so that a recorded
// answer does not do: in Start, which returns ErrNameTaken; or, if the two meet
// only later, by stopping, as after Close(ctx) with ctx done: the receive queue is
// closed and Err returns ErrNameTaken. A node killed and started again is never
// refused: its former life does not answer. At its old address it is back at once,
// at another as soon as the others have found the old one failed.
// "Later" is by the clocks of the two hosts.
//
// # Counters
//
// Counters returns, by name:
//
//	datagrams_in, datagram_bytes_in      messages queued to be received, and their bytes
//	streams_in, stream_bytes_in
//	datagrams_out, datagram_bytes_out    messages handed to the operating system
//	streams_out, stream_bytes_out
//	udp_bytes_in, udp_bytes_out          bytes on the sockets, membership included
//	tcp_bytes_in, tcp_bytes_out
//	drop_receive_queue_full              datagrams dropped on arrival
//	drop_send_queue_full                 Send returned ErrQueueFull
//	drop_send_failed                     messages whose peer could not be reached
//	drop_no_peer                         Send returned ErrNoPeer, or the peer went meanwhile
//	reject_label                         packets and connections of another cluster
//	reject_key                           not encrypted, or with another key
//	reject_malformed                     not understood
//	reject_stalled                       connections that ran into their deadline
//	reject_member                        members refused: Config.MaxMembers, no name, no address
//	reject_overload                      memberlist's own queues were full
//	evicted_connections                  closed for Config.MaxConns, or as links that did not say whose
//	name_conflicts                       a name was claimed at two addresses
//	joins_failed                         attempts to resolve or dial
//	links_dialed, links_accepted         connections for streams
//	links_duplicate, links_evicted       ended because of another one, or for Config.MaxLinks
//	links_broken                         that failed, or whose peer sent nonsense
//	link_dials_failed                    attempts
//
// memberlist reports refused packets to its log only; so the counts of refusals are
// taken from there. The log itself goes to Config.Logger, with at most one line a
// second for each kind of refusal. What memberlist calls warnings and errors when
// nodes restart, move, leave or fail is logged as information or for debugging.
//
// # Shortfalls
//
// A failure probe under way when Close is called
// ends by itself, within Config.ProbeInterval (memberlist offers no way to wait for
// it).
package swim
