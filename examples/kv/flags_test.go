package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip"
)

func TestBadFlags(t *testing.T) {
	tests := []struct {
		args []string
		want string // part of the line
	}{
		{[]string{"-nonsense"}, "nonsense"},
		{[]string{"-name"}, "name"},
		{[]string{"more"}, `"more"`},
		{[]string{"-name", ""}, "-name"},
		{[]string{"-name", "two words"}, "-name"},
		{[]string{"-name", "line\nbreak"}, "-name"},
		{[]string{"-name", strings.Repeat("n", maxName+1)}, "129 bytes"},
		{[]string{"-cluster", ""}, "-cluster"},
		{[]string{"-cluster", strings.Repeat("c", maxName+1)}, "-cluster"},
		{[]string{"-key", "secret"}, "-key: not hexadecimal"},
		{[]string{"-key", "abc"}, "-key"},
		{[]string{"-key", "00112233"}, "-key: 4 bytes"},
		{[]string{"-bind", "127.0.0.1"}, "-bind"},
		{[]string{"-bind", "127.0.0.1:port"}, "-bind"},
		{[]string{"-bind", "127.0.0.1:65536"}, "-bind"},
		{[]string{"-bind", "127.0.0.1:-1"}, "-bind"},
		{[]string{"-bind", "300.0.0.1:7946"}, "-bind"},
		{[]string{"-http", "8080"}, "-http"},
		{[]string{"-http", "localhost/path:1"}, "-http"},
		{[]string{"-advertise", "127.0.0.1:0"}, "-advertise"},
		{[]string{"-advertise", "0.0.0.0:7946"}, "-advertise"},
		{[]string{"-join", "127.0.0.1:1,,127.0.0.1:2"}, "-join"},
		{[]string{"-join", "127.0.0.1:0"}, "-join"},
		{[]string{"-join", "somewhere"}, "-join"},
		{[]string{"-log-level", "loud"}, "-log-level"},
		{[]string{"-flow", "on"}, `-flow: want quota, aimd or off, got "on"`},
		{[]string{"-flow", ""}, "-flow"},
		{[]string{"-heartbeat", "15"}, "heartbeat"},
		{[]string{"-heartbeat", "0s"}, "-heartbeat: want 100ms to 1h0m0s, got 0s"},
		{[]string{"-heartbeat", "-15s"}, "-heartbeat"},
		{[]string{"-heartbeat", "99ms"}, "-heartbeat"},
		{[]string{"-heartbeat", "61m"}, "-heartbeat"},
		{[]string{"-remove-after", "10"}, "remove-after"},
		{[]string{"-remove-after", "999ms"}, "-remove-after: want 1s or more, got 999ms"},
		{[]string{"-report-interval", "99ms"}, "-report-interval: want 100ms or more, got 99ms"},
		{[]string{"-max-keys", "-1"}, "-max-keys: want 0 or more, got -1"},
		{[]string{"-max-keys", "many"}, "-max-keys"},
		{[]string{"-max-bytes", "-1"}, "-max-bytes: want 0 or more, got -1"},
		{[]string{"-max-bytes", "1GB"}, "-max-bytes"},
	}
	for _, tt := range tests {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), tt.args, &stdout, &stderr)
		line := stderr.String()
		if code != 2 || stdout.Len() > 0 || strings.Count(line, "\n") != 1 || !strings.Contains(line, tt.want) {
			t.Errorf("kv %.60q = %d, stdout %q, stderr %q; want 2 and one line with %q", tt.args, code, stdout.String(), line, tt.want)
		}
		if strings.Contains(line, "secret") {
			t.Errorf("kv %q prints the key: %q", tt.args, line)
		}
	}
}

func TestGoodFlags(t *testing.T) {
	o, err := parseFlags([]string{
		"-name", "a", "-bind", ":0", "-http", "[::1]:0", "-advertise", "node.example:7946",
		"-join", "127.0.0.1:7946, [::1]:7947,db-1.example:7946", "-key", strings.Repeat("0f", 32), "-log-level", "debug",
		"-heartbeat", "100ms", "-remove-after", "1m", "-report-interval", "2s", "-flow", "aimd", "-max-keys", "5", "-max-bytes", "5000000000",
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.join) != 3 || o.join[1] != "[::1]:7947" || len(o.key) != 32 || o.level != -4 || o.cluster != "kv" || o.heartbeat != 100*time.Millisecond || o.remove != time.Minute || o.report != 2*time.Second || o.flow != gossip.FlowAIMD || o.maxKeys != 5 || o.maxBytes != 5e9 {
		t.Errorf("options = %+v", o)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Skip("no host name: ", err) // the default name is the host name: there is none to test
	}
	if o, err := parseFlags(nil); err != nil || o.name != host || o.heartbeat != 15*time.Second || o.flow != gossip.FlowQuota {
		t.Errorf("default name and heartbeat = %q, %v, %v; want %q, 15 s", o.name, o.heartbeat, err, host)
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-help"}, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
		t.Errorf("kv -help = %d, stderr %q", code, stderr.String())
	}
	for _, flag := range []string{"name", "bind", "http", "join", "cluster", "key", "advertise", "flow", "heartbeat", "remove-after", "report-interval", "max-keys", "max-bytes", "log-level"} {
		if !strings.Contains(stdout.String(), "\n  -"+flag+" ") {
			t.Errorf("help does not list -%s", flag)
		}
	}
}
