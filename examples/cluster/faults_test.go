package main

import (
	"testing"

	"github.com/insecure-scuttlebutt/scuttlebutt/gossip/transport"
)

func TestConditions(t *testing.T) {
	f := fleet{{addr: "n1"}, {addr: "n2"}, {addr: "n3"}, {addr: "n4"}, {addr: "n5"}}
	side := sides(f)
	for _, tt := range []struct {
		c    conditions
		said string
		cut  bool // n2 from n3
		lost [2]bool
	}{
		{conditions{}, "no faults", false, [2]bool{}},
		{conditions{side: side}, "partitioned", true, [2]bool{}},
		{conditions{packets: 0.2, connections: 0.05}, "20 % of packets and 5 % of connections are lost", false, [2]bool{true, false}},
		{conditions{packets: 0.2, connections: 0.15, side: side}, "partitioned, 20 % of packets and 15 % of connections are lost", true, [2]bool{true, true}},
	} {
		lost := [2]bool{tt.c.loses(transport.Datagram, 0.1), tt.c.loses(transport.Stream, 0.1)}
		if got := tt.c.String(); got != tt.said || lost != tt.lost {
			t.Errorf("%q, datagram and stream lost: %v; want %q, %v", got, lost, tt.said, tt.lost)
		}
		if got := tt.c.cuts("n2", "n3"); got != tt.cut || tt.c.cuts("n3", "n2") != tt.cut {
			t.Errorf("%v: n2 cut from n3: %t", &tt.c, got)
		}
		if tt.c.cuts("n1", "n2") || tt.c.cuts("n3", "n5") {
			t.Errorf("%v cuts within a side", &tt.c)
		}
	}
	if two := sides(f[:2]); two["n1"] != "A" || two["n2"] != "B" {
		t.Errorf("two nodes: %v, want one on each side", two)
	}
}
