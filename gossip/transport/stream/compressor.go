package stream

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// compressor makes large messages smaller, and reads what others have made so. All
// connections of a node share it. Its zero value writes nothing, and reads everything.
type compressor struct {
	above  int // bytes of a message that is left as it is; 0: all are
	writer *zstd.Encoder

	once   sync.Once // of what follows: most nodes never need it
	reader *zstd.Decoder
}

const (
	// compressedFlag in the length of a frame says that its message is compressed.
	compressedFlag = 1 << 31
	sizeBytes      = 4
	// windowBytes is how far back what is compressed may refer: more than one message has
	// in most clusters.
	windowBytes = 1 << 20
)

func newCompressor(above int) (*compressor, error) {
	c := &compressor{above: above}
	if above == 0 {
		return c, nil
	}
	var err error
	c.writer, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(windowBytes), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	return c, nil
}

// writes reports whether it compresses anything.
func (c *compressor) writes() bool { return c != nil && c.above > 0 }

// compress appends msg to b, compressed; false if that would not make it smaller, or it is
// small.
func (c *compressor) compress(b, msg []byte) ([]byte, bool) {
	if !c.writes() || len(msg) <= c.above {
		return b, false
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(msg)))
	b = c.writer.EncodeAll(msg, b)
	return b, len(b) < len(msg)
}

// expand returns the message of at most limit bytes that compress made a frame's body of.
// It never takes more memory than the limit and a block of zstd's, whatever body is.
func (c *compressor) expand(body []byte, limit int, s *spares) ([]byte, error) {
	if len(body) < sizeBytes {
		return nil, errMalformed
	}
	size := int64(binary.BigEndian.Uint32(body))
	if size > int64(limit) {
		return nil, errMalformed
	}
	c.once.Do(func() {
		c.reader, _ = zstd.NewReader(nil, // only options that are out of range are errors
			zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxMemory(maxMessage), zstd.WithDecoderMaxWindow(maxMessage))
	})
	room := s.take(int(size))
	msg, err := c.reader.DecodeAll(body[sizeBytes:], room[:0:size])
	if err != nil || int64(len(msg)) != size {
		return nil, errMalformed
	}
	return msg, nil
}
