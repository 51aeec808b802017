package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/engine"
	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/wire"
	"github.com/insecure-scuttlebutt/scuttlebutt/model"
)

const limitHelp = `limit measures what this machine can do with the records that the other subcommands
use: how fast anything built on it could possibly be.

usage: bench limit [flags]

  codec    this library's codec: encode and decode, on one core
  engine   two of its engines, from log to log: delta, encode, decode, apply, on one core
  hand     the shortest encoding, by hand: encode and decode, on one core
  tcp      the bytes of that over a loopback connection
  map      insertion into a Go map
  whole    encode by hand, send, decode, insert, side by side

`

var limit = contest{
	name: "limit", help: limitHelp, alone: true,
	defaults: contestOptions{n: 100_000},
	columns:  []column{columnSeconds, columnRecords, columnPerRecord, columnCPU},
	run: func(ctx context.Context, o contestOptions, _ system, run int, each func(result)) error {
		for _, c := range []struct {
			name, system string
			measure      func(n int) (result, error)
		}{
			{"codec", "scuttlebutt", measureCodec},
			{"engine", "scuttlebutt", measureEngine},
			{"hand", "machine", measureHand},
			{"tcp", "machine", measureTCP},
			{"map", "machine", measureMap},
			{"whole", "machine", measureWhole},
		} {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			r, err := c.measure(o.n)
			if err != nil {
				return fmt.Errorf("limit: %s: %w", c.name, err)
			}
			r.Case, r.System, r.Run = "limit/"+c.name, c.system, run
			each(r)
		}
		return nil
	},
}

// timed measures f, which handles n records and says how many bytes they take.
func timed(n int, f func() (int, error)) (result, error) {
	r := newResult("", "machine", 1, 1, n)
	m := startMeter(nil)
	begin := time.Now()
	size, err := f()
	took := time.Since(begin)
	m.end(&r)
	r.Seconds, r.Rate, r.Converged = number(took.Seconds()), number(float64(n)/took.Seconds()), err == nil
	r.Bytes, r.Payload = number(size), number(size)
	return r, err
}

// limitChunk is about how many bytes of updates go into one message.
const limitChunk = 128 << 10

func measureCodec(n int) (result, error) {
	self := clock.Replica{Node: "n00", Epoch: 1}
	begin := time.Unix(1_700_000_000, 0)
	each := limitChunk / (keyBytes + valueBytes)
	var messages []*engine.Message
	for from := 0; from < n; from += each {
		b := engine.Batch{Replica: self, From: clock.Version(from), Through: clock.Version(min(n, from+each))}
		for i := from; i < min(n, from+each); i++ {
			b.Updates = append(b.Updates, &model.Update{
				Dot:  clock.Dot{Replica: self, Version: clock.Version(i + 1)},
				Time: clock.TimestampOf(begin.Add(time.Duration(i) * time.Microsecond)), Space: "bench",
				Key: []byte(recordKey(0, i)), Value: recordValue(i + 1),
			})
		}
		messages = append(messages, &engine.Message{Kind: engine.Push, From: self, Batches: []engine.Batch{b}})
	}
	codec := wire.New(cluster)
	return timed(n, func() (int, error) {
		size, got := 0, 0
		for _, m := range messages {
			b := codec.Encode(m)
			back, err := codec.Decode(b)
			if err != nil {
				return 0, err
			}
			size += len(b)
			got += len(back.Batches[0].Updates)
		}
		if got != n {
			return 0, fmt.Errorf("%d of %d records came back", got, n)
		}
		return size, nil
	})
}

// measureEngine has one engine get everything from another. Buffers are used again, as a
// node does.
func measureEngine(n int) (result, error) {
	now := time.Unix(1_700_000_000, 0)
	codec := wire.New(cluster)
	engines := map[string]*engine.Engine{}
	for i, name := range []string{"n00", "n01"} {
		e, err := engine.New(now, engine.Config{
			Self: clock.Replica{Node: name, Epoch: 1}, Cluster: cluster, Codec: codec,
			Rand: rand.New(rand.NewSource(int64(i + 1))), Budget: n * 2 * (keyBytes + valueBytes),
		})
		if err != nil {
			return result{}, err
		}
		if err := e.Attach("bench", new(model.Map[[]byte])); err != nil {
			return result{}, err
		}
		engines[name] = e
	}
	for k := range n {
		if _, err := engines["n00"].Write(now, "bench", []model.Draft{{Key: []byte(recordKey(0, k)), Value: recordValue(k + 1)}}); err != nil {
			return result{}, err
		}
	}
	engines["n01"].SetPeer(now, "n00", engine.PeerAlive)
	return timed(n, func() (int, error) {
		now = now.Add(time.Minute)
		size := 0
		var b []byte
		decoder := codec.Decoder()
		waiting := engines["n01"].Tick(now).Send
		for len(waiting) > 0 {
			envelope := waiting[0]
			b = codec.Append(b[:0], envelope.Message)
			size += len(b)
			m, err := decoder.Decode(b)
			if err != nil {
				return 0, err
			}
			out, err := engines[envelope.To].Step(now, m)
			if err != nil {
				return 0, err
			}
			waiting = append(waiting[1:], out.Send...)
		}
		if got := engines["n01"].Stats().UpdatesApplied; got != uint64(n) {
			return 0, fmt.Errorf("%d of %d records arrived", got, n)
		}
		return size, nil
	})
}

// records returns n keys and their values.
func records(n int) ([]string, []entry) {
	keys, entries := make([]string, n), make([]entry, n)
	for i := range n {
		keys[i], entries[i] = recordKey(0, i), entry{recordValue(i + 1), int64(i)}
	}
	return keys, entries
}

func measureHand(n int) (result, error) {
	keys, entries := records(n)
	return timed(n, func() (int, error) {
		var code rawCoding
		var b []byte
		size, got := 0, 0
		for i := 0; i < n; {
			b = b[:0]
			for ; i < n && len(b) < limitChunk; i++ {
				b = code.append(b, keys[i], entries[i])
			}
			size += len(b)
			if err := code.decodeAll(b, func(string, entry) { got++ }); err != nil {
				return 0, err
			}
		}
		if got != n {
			return 0, fmt.Errorf("%d of %d records came back", got, n)
		}
		return size, nil
	})
}

func measureTCP(n int) (result, error) {
	size := n * (rawHead + keyBytes + valueBytes)
	block := make([]byte, limitChunk)
	return timed(n, func() (int, error) {
		return size, overTCP(func(w io.Writer) error {
			for left := size; left > 0; left -= len(block) {
				if _, err := w.Write(block[:min(left, len(block))]); err != nil {
					return err
				}
			}
			return nil
		}, func(r io.Reader) error {
			got, err := io.CopyBuffer(writerOnly{io.Discard}, r, make([]byte, limitChunk))
			if err == nil && got != int64(size) {
				err = io.ErrUnexpectedEOF
			}
			return err
		})
	})
}

// writerOnly hides what else a writer can do, so that a copy goes through its buffer.
type writerOnly struct{ io.Writer }

// overTCP connects two functions by loopback TCP; the reader's ends with io.EOF.
func overTCP(write func(io.Writer) error, read func(io.Reader) error) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	sent := make(chan error, 1)
	go func() {
		sent <- func() error {
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				return errors.Join(err, l.Close()) // nobody else will come
			}
			return errors.Join(write(c), c.Close())
		}()
	}()
	c, err := l.Accept()
	if err == nil {
		err = read(c)
		c.Close()
	}
	return errors.Join(<-sent, err)
}

func measureMap(n int) (result, error) {
	keys, entries := records(n)
	return timed(n, func() (int, error) {
		table := map[string]entry{}
		for i, k := range keys {
			table[string([]byte(k))] = entry{bytes.Clone(entries[i].Value), entries[i].Time}
		}
		if len(table) != n {
			return 0, fmt.Errorf("%d of %d records are there", len(table), n)
		}
		return n * (keyBytes + valueBytes), nil
	})
}

func measureWhole(n int) (result, error) {
	keys, entries := records(n)
	return timed(n, func() (int, error) {
		var code rawCoding
		table := map[string]entry{}
		err := overTCP(func(w io.Writer) error {
			out := bufio.NewWriterSize(w, limitChunk)
			b := make([]byte, 0, rawHead+keyBytes+valueBytes)
			for i, k := range keys {
				b = code.append(b[:0], k, entries[i])
				if _, err := out.Write(b); err != nil {
					return err
				}
			}
			return out.Flush()
		}, func(r io.Reader) error {
			in := bufio.NewReaderSize(r, limitChunk)
			b := make([]byte, rawHead+keyBytes+valueBytes)
			for {
				if _, err := io.ReadFull(in, b); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
				key, e, _, err := code.decode(b)
				if err != nil {
					return err
				}
				table[key] = entry{bytes.Clone(e.Value), e.Time}
			}
		})
		if err == nil && len(table) != n {
			err = fmt.Errorf("%d of %d records arrived", len(table), n)
		}
		return n * (rawHead + keyBytes + valueBytes), err
	})
}
