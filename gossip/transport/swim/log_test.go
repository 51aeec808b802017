package swim

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestLogAdapter feeds lines as memberlist v0.7.0 writes them.
func TestLogAdapter(t *testing.T) {
	for _, tt := range []struct {
		line    string
		count   string // name of the counter, "" for none
		suspect string
		level   string
	}{
		{`[ERR] memberlist: discarding packet with unacceptable label "x": from=1.2.3.4:5`, "reject_label", "", "WARN"},
		{`[ERR] memberlist: discarding stream with unacceptable label "": from=1.2.3.4:5`, "reject_label", "", "WARN"},
		{`[ERR] memberlist: Decrypt packet failed: no installed keys could decrypt the message from=1.2.3.4:5`, "reject_key", "", "WARN"},
		{`[ERR] memberlist: failed to receive: no installed keys could decrypt the message from=1.2.3.4:5`, "reject_key", "", "WARN"},
		{`[ERR] memberlist: failed to receive: encryption is configured but remote state is not encrypted from=1.2.3.4:5`, "reject_key", "", "WARN"},
		{`[ERR] memberlist: failed to receive: remote state is encrypted and encryption is not configured from=1.2.3.4:5`, "reject_key", "", "WARN"},
		{`[ERR] memberlist: msg type (99) not supported from=1.2.3.4:5`, "reject_malformed", "", "WARN"},
		{`[ERR] memberlist: Failed to decode alive message: EOF from=1.2.3.4:5`, "reject_malformed", "", "WARN"},
		{`[WARN] memberlist: Got invalid checksum for UDP packet: 1, 2`, "reject_malformed", "", "WARN"},
		{`[ERR] memberlist: failed to receive and remove the stream label header: read tcp 1.2.3.4:5->6.7.8.9:10: i/o timeout from=6.7.8.9:10`, "reject_stalled", "", "WARN"},
		{`[WARN] memberlist: handler queue full, dropping message (8) from=1.2.3.4:5`, "reject_overload", "", "WARN"},
		{`[ERR] memberlist: failed to receive: read tcp 1.2.3.4:5->6.7.8.9:10: read: connection reset by peer from=1.2.3.4:5`, "reject_malformed", "", "DEBUG"},
		{`[ERR] memberlist: discarding packet with unacceptable label "broken pipe": from=1.2.3.4:5`, "reject_label", "", "WARN"},
		{`[ERR] memberlist: Failed fallback TCP ping: timeout 1s: read tcp 1.2.3.4:5->6.7.8.9:10: i/o timeout`, "", "", "DEBUG"},
		{`[ERR] memberlist: Failed to push local state: write tcp4 1.2.3.4:5->1.2.3.4:6: use of closed network connection from=1.2.3.4:6`, "", "", "DEBUG"},
		{`[ERR] memberlist: Push/Pull with b failed: dial tcp 1.2.3.4:5: connect: connection refused`, "", "", "DEBUG"},
		{`[ERR] memberlist: Conflicting address for b. Mine: 1.2.3.4:5 Theirs: 1.2.3.4:6 Old state: 0`, "", "", "DEBUG"},
		{`[WARN] memberlist: Refuting a dead message (from: b)`, "", "", "DEBUG"},
		{`[WARN] memberlist: Refuting a suspect message (from: a)`, "", "", "INFO"},
		{`[WARN] memberlist: Was able to connect to b over TCP but UDP probes failed, network may be misconfigured`, "", "", "WARN"},
		{`[ERR] memberlist: Something else`, "", "", "ERROR"},
		{`[INFO] memberlist: Suspect a node has failed, no acks received`, "", "a node", "INFO"},
		{`[DEBUG] memberlist: Stream connection from=1.2.3.4:5`, "", "", "DEBUG"},
		{`no level at all`, "", "", "INFO"},
	} {
		var out bytes.Buffer
		var count counters
		var suspect string
		l := &logAdapter{
			logger:  slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})),
			count:   &count,
			suspect: func(name string) { suspect = name },
		}
		fmt.Fprintln(l, tt.line)
		for i, name := range counterNames {
			want := uint64(0)
			if name == tt.count {
				want = 1
			}
			if got := count[i].Load(); got != want {
				t.Errorf("%s\n%s = %d, want %d", tt.line, name, got, want)
			}
		}
		if suspect != tt.suspect {
			t.Errorf("%s\nsuspects %q, want %q", tt.line, suspect, tt.suspect)
		}
		if !strings.Contains(out.String(), "level="+tt.level+" ") {
			t.Errorf("%s\nlogged as %s, want level %s", tt.line, out.String(), tt.level)
		}
		first := out.Len()
		fmt.Fprintln(l, tt.line)
		if again := out.Len() > first; again == (tt.count != "") {
			t.Errorf("%s\nlogged twice: %v, want only what is no refusal", tt.line, again)
		}
	}
}
