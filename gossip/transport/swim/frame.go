package swim

// memberlist hands a message over without saying what it is. So each payload ends in a
// byte that tells.
const (
	datagramTag = 'd'
	questionTag = 'q' // of this package's own; see question.go
	answerTag   = 'a'
)

// frameDatagram returns msg as a payload of its own.
func frameDatagram(msg []byte) []byte {
	b := make([]byte, len(msg)+1)
	b[copy(b, msg)] = datagramTag
	return b
}
