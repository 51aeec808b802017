package gossip

import (
	"testing"

	"go.uber.org/goleak"
)

// A probe of memberlist's that is under way when it shuts down ends by itself,
// within a probe interval.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}
