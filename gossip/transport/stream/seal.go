package stream

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// sealBytes is how many bytes go in one direction under one key.
const sealBytes = 64 << 30

// seal protects the frames of one direction of a connection. It is used by one
// goroutine at a time. Each frame has a nonce of its own, its number; so a seal must
// never be made twice from the same key and nonces.
type seal struct {
	aead  cipher.AEAD
	count uint64 // of frames so far
}

// The directions of a connection.
const (
	fromDialer   = "scuttlebutt stream 1: from the dialler"
	fromAcceptor = "scuttlebutt stream 1: from the acceptor"
)

// newSeal returns the seal of a direction; nil without a key.
func newSeal(key []byte, dialer, acceptor nonce, direction string) (*seal, error) {
	if len(key) == 0 {
		return nil, nil
	}
	salt := append(dialer[:], acceptor[:]...)
	derived, err := hkdf.Key(sha256.New, key, salt, direction, 32)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	return &seal{aead: aead}, nil
}

// overhead is how much longer a sealed frame is.
func (s *seal) overhead() int {
	if s == nil {
		return 0
	}
	return s.aead.Overhead()
}

// append adds msg, sealed, to b; head is authenticated with it.
func (s *seal) append(b, head, msg []byte) []byte {
	if s == nil {
		return append(b, msg...)
	}
	n := s.next()
	return s.aead.Seal(b, n[:], msg, head)
}

// open returns what was sealed into body, which it overwrites.
func (s *seal) open(head, body []byte) ([]byte, error) {
	if s == nil {
		return body, nil
	}
	n := s.next()
	msg, err := s.aead.Open(body[:0], n[:], body, head)
	if err != nil {
		return nil, errKey
	}
	return msg, nil
}

// next is the nonce of the next frame.
func (s *seal) next() [12]byte {
	var n [12]byte
	binary.BigEndian.PutUint64(n[4:], s.count)
	s.count++
	return n
}
