package swim

import "encoding/binary"

// memberlist hands a message over without saying which way it came, and dials for
// every stream message. So each payload ends in the byte that names its channel,
// and a stream payload is a run of messages, each behind its length: what gathers
// while a connection is made goes over the next one together.
const (
	datagramTag = 'd'
	streamTag   = 's'
	questionTag = 'q' // of this package's own; see question.go
	answerTag   = 'a'
)

// frameDatagram returns msg as a payload of its own.
func frameDatagram(msg []byte) []byte {
	b := make([]byte, len(msg)+1)
	b[copy(b, msg)] = datagramTag
	return b
}

// frameStream returns msgs as one payload.
func frameStream(msgs [][]byte) []byte {
	size := 1
	for _, m := range msgs {
		size += binary.MaxVarintLen32 + len(m)
	}
	b := make([]byte, 0, size)
	for _, m := range msgs {
		b = binary.AppendUvarint(b, uint64(len(m)))
		b = append(b, m...)
	}
	return append(b, streamTag)
}

// nextMessage cuts the first message off a stream payload without its tag.
func nextMessage(b []byte) (msg, rest []byte, ok bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, nil, false
	}
	end := k + int(n)
	return b[k:end], b[end:], true
}
