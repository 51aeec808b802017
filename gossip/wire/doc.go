// Package wire is the form of the engine's messages on the network: msgpack,
// compact, and measured to the byte before it is written.
//
// [Codec] encodes, decodes and measures; it is the engine's [engine.Codec]. The
// package is pure: bytes in, messages out, no state from one to the next.
//
// # Primitives
//
// Everything is standard msgpack, readable by any implementation. The writer
// uses the shortest form of a number or length, except where a width is fixed
// so that a size is known before the value is. The reader takes every width.
//
//	uint    unsigned integer
//	u32     unsigned integer in 5 bytes (0xce), whatever its value
//	int     signed integer
//	str     string: node, space and cluster names, at most engine.MaxName bytes
//	bin     raw bytes: keys, values; hashes are bin of 16 bytes, big-endian
//	[ … ]   array; "x …" repeats x without an array around each
//
// A name is written once in a message and numbered from 1 in the order in which
// names appear. Both of these are spread over the array that they stand in:
//
//	replica   uint n > 0: the n-th replica of the message; number 1 is the sender
//	          0, str node, int epoch: the next one; epoch less the sender's
//	space     uint n > 0: the n-th space of the message
//	          0, str name: the next one
//
// # Message
//
// A message of any kind is one array of 20 fields. An empty field is one byte.
//
//	 0  uint          format version: Version
//	 1  str           cluster id
//	 2  uint          kind, 1 … 10
//	 3  str           sender's node
//	 4  uint          sender's epoch
//	 5  int           receiver's epoch less the sender's
//	 6  uint          exchange
//	 7  uint          HLC: base of the updates' times
//	 8  uint          MaxUpdate, below 2^32
//	 9  uint          credit, below 2^32
//	10  nil | [ 3 × float64, uint ]   rates: desired, maximum, capacity; finite, not
//	                  negative; pending updates, below 2^32
//	11  nil | digest
//	12  [ (replica, uint version) … ]   exceptions
//	13  uint          flags: 1 same, 2 joining, 4 admits, 8 relays, 16 unsure
//	14  bool          cleaning
//	15  [ (space, bin hash, nil | str) … ]   state hashes; the type of the model, nil:
//	                  there is none
//	16  nil | [ uint sum, (replica, uint head, uint HLC, uint safe, bin view, bin outside,
//	                  bool waits) … ]   reports
//	17  nil | [ uint sum, (str node, uint gone, uint final, [ uint vanished … ], uint before,
//	                  [ uint kept … ], uint proof) … ]   retired nodes; epochs ascend strictly
//	18  nil | repair  exactly in messages of kind repair
//	19  [ batch … ]
//
//	digest  [ bool full, uint part, uint parts, uint base,
//	          [ (replica, uint version) … ],       strictly ascending by replica
//	          [ uint index … ] ]                   the entries that are held
//	repair  [ uint phase 1 … 5, space,
//	          [ (replica, uint through, uint floor, bin hash) … ],
//	          nil | [ replica, uint from, uint through ],
//	          [ (uint gap, uint content hash) … ], versions left out before each dot
//	          [ run … ] ]                          strictly ascending by replica
//	run     [ replica, uint n > 0, n × update ]    versions above 0
//	batch   [ replica, uint from, u32 through − from, uint floor, bool closed,
//	          uint n, n × update ]                 versions in (from, through]
//
// Batches are last and the fields that are known only when a batch is complete
// have a fixed width; so an [engine.Sizer] is exact after every update. The
// header of a list has the width that its longest form would need: one byte
// when the list is empty.
//
// # Updates
//
// An update is 3 to 13 elements of its batch or run, without an array of its
// own. What does not differ from the update before costs nothing: the replica
// is the batch's, the version one more, the space the same (at first it is the
// repair's, or empty).
//
//	uint difference << 7 | flags
//	uint …         the rest of the time, see below
//	uint           flag 3: how many versions are left out before this one
//	space          flag 2: another space
//	uint           flag 4: kind, up to 255
//	uint, uint     flag 5: expiry: milliseconds after the update's, counter
//	[ … ], [ … ]   flag 6: context (strictly ascending, no version 0) and dependencies,
//	               both of (replica, uint version)
//	bin            key
//	bin            value
//
// A time is its difference to the time of the update before; for the first of a
// batch or run, how much it is before the message's HLC. Flags 0 and 1 are a
// number that says how:
//
//	0  difference in ticks of the HLC
//	1  difference in milliseconds; the counter (the low 16 bits) is 0
//	2  difference in milliseconds; uint counter
//	3  nothing beside the flags; uint milliseconds, uint counter
//
// Milliseconds count modulo 2^48, ticks modulo 2^64, so any two times can follow
// each other. Beyond its key and value of 20 and 100 bytes, an update of a long
// run takes 6 bytes in a burst, 9 when writes are minutes apart, 11 when days;
// with values of 64 KiB 3 more. TestBytesPerUpdate has the numbers.
//
// # Versions of the format
//
// A reader takes its own [Version] and no other; the version and the cluster are
// checked before anything else, also before the number of fields. Whatever
// changes the bytes of a message increments Version (TestGolden notices).
//
// # Limits and errors
//
// Decode returns [ErrVersion], [ErrCluster] or [ErrMalformed], wrapped with the
// field and the offset. It never panics. Malformed are also: bytes behind the
// message, names over engine.MaxName, more than engine.MaxBatch updates in a
// batch, a part that is not below parts, an order that is said above and not
// kept. Nothing is allocated on the word of a length alone: an array must have a
// byte left for each element, and updates five. All memory of a Decode, garbage
// included, is at most [MaxGrowth] times the input and 1 KiB.
//
// Encode panics when a batch cannot be expressed: that is a bug of the caller.
package wire
