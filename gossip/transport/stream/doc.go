// Package stream keeps connections between nodes open and carries messages over them.
// It knows nothing of membership: package swim says where a peer is, and hands over
// the incoming connections of its port that begin with the byte [First].
//
//	links, err := stream.New(stream.Config{
//		Name: "a", Cluster: "prod", Key: key,
//		Dial:    func(ctx context.Context, peer string) (net.Conn, error) { … },
//		Deliver: func(msg []byte) { … },
//	})
//	err = links.Send("b", msg) // never waits
//	links.Serve(conn)          // an incoming connection
//
// # Links
//
// The first message to a peer opens a connection; either side may. From then on both
// send over it, at once: what gathers while a write is under way goes with the next. Who
// sends a small message writes it, if the connection is a [NowWriter] and takes it without
// waiting; all else is written by a goroutine.
// When both dial at the same time there are two connections for a moment. The one
// that the node with the smaller name dialled stays; of two dialled by the same node, or
// to different lives of a peer, the later one does. The other is finished: each side
// says that it will not write to it any more, and reads what the other still had to
// say. So no message is lost to that.
//
// A connection that breaks takes with it what was written and had not arrived; what
// waits goes over the next one, which is dialled at once. If that fails everything that
// waits is dropped: it would be old by the time the peer is back. Then dialling pauses, for
// Config.RetryMin, doubling to Config.RetryMax, each spread by half; messages wait
// meanwhile. A message arrives whole and unchanged or not at all; once over one
// connection, messages keep their order.
//
// With Keep connections are made before there is a message, and again whenever one breaks.
// Links lists those that are there, each with a number of its own: who sees the same number
// again knows that nothing was lost in between, and which of them are busy; Changed tells
// when to look again.
//
// A receiver that is slow holds the sender back, by TCP: then messages wait in the
// sender's queue, and are refused when that is full. A peer that takes nothing for
// Config.Timeout is cut off.
//
// # On the wire
//
// All numbers are big-endian.
//
//	preface  First, version, mode (0 plain, 1 sealed), nonce of 32 bytes
//	frame    length of what follows in 4 bytes, a message (sealed: and 16 bytes more)
//	         if bit 31 of the length is set, instead of the message its length in 4 bytes
//	         and what zstd made of it
//	hello    cluster, sender's name, receiver's name (each behind its length in one byte;
//	         the last is empty in the acceptor's), sender's instance in 16 bytes, the
//	         receiver's nonce
//
// The dialler sends its preface, the acceptor answers with its own and, as the first
// frame, a hello; the dialler follows with its hello, and then both send messages. Each
// side refuses a hello that is not of its cluster, does not come from or go to whom it
// should, or does not repeat the nonce that this side has just drawn. So what was recorded
// and is sent again has no effect, with or without a key.
//
// With a key every frame is sealed with AES-256-GCM, hellos too: a stranger sees
// nonces, lengths and times. The two keys of a connection, one for each direction, are
// derived from Config.Key and both nonces by HKDF with SHA-256; a frame's nonce is its
// number in its direction, its length is authenticated with it. Frames that are missing,
// repeated, moved or changed end the connection. After 64 GiB in one direction a connection is
// replaced by a new one with new keys. There is no forward secrecy: whoever has the key can
// read what was recorded before.
//
// With Config.CompressAbove large messages, which above all nodes that catch up get, are
// compressed before they are sealed. Then lengths say something of what is in them: who sees
// them, and can write values of his own beside others', may guess at those. The two ends
// need not agree on it.
//
// Without a key nothing is secret, and anybody who can reach the port can take any
// name.
//
// TLS fits in front: Dial and Serve take any net.Conn.
//
// # Limits
//
// Everything that the network can grow is bounded: connections whose other end has not
// shown who it is yet, by Config.MaxPending, the oldest going first; before that a frame may
// have 1 KiB, and all of it must come within Config.Timeout. Links, by Config.MaxLinks:
// one more ends one to which nothing waits, of a stranger to membership if there is
// one, else that to which nothing was sent for longest. Messages that wait, by
// Config.SendQueue and SendBytes for each peer.
// A message that comes compressed says how long it is, and takes no more than that, which
// Config.MaxMessage bounds. Any other takes memory as it arrives, and each 64 KiB of it must arrive within
// Config.Timeout.
//
// # Counters
//
//	links_dialed, links_accepted    connections whose handshake was completed
//	links_duplicate                 finished because there was a second one
//	links_broken                    that failed, or whose peer sent nonsense
//	links_evicted                   ended for MaxLinks, or refused
//	link_dials_failed               attempts
//	evicted_connections             closed for MaxPending
//	streams_out, stream_bytes_out   messages written, and their bytes
//	drop_send_queue_full            Send returned ErrQueueFull
//	drop_send_failed                messages whose peer could not be reached
//	reject_label                    connections of another cluster
//	reject_key                      not sealed, or with another key, or a recording
//	reject_malformed                not understood, to somebody else, or a recording
//	reject_stalled                  connections that ran into Config.Timeout
package stream
