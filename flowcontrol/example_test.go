package flowcontrol_test

import (
	"fmt"

	"github.com/insecure-scuttlebutt/scuttlebutt/flowcontrol"
)

// A node that has little to write gives the rest of its rate to one that waits.
func ExampleShare() {
	amy := flowcontrol.Rates{Desired: 2, Maximum: 10}
	bob := flowcontrol.Rates{Desired: 500, Maximum: 10}
	fmt.Println(flowcontrol.Share(amy, bob))
	// Output: 2 18
}

// Two nodes take part in an exchange: each tells its rates, hears the other's, and
// adapts.
func ExampleParticipant() {
	amy := flowcontrol.NewParticipant(&flowcontrol.Quota{Rate: 2})
	bob := flowcontrol.NewParticipant(&flowcontrol.Quota{Rate: 2})
	bob.SetDesired(1000) // amy wants to write nothing

	for range 2 {
		a, b := amy.Rates(), bob.Rates() // as they ride in SYN and ACK
		x := flowcontrol.Exchange{Nodes: 2, Pending: 20, Budget: 100}
		x.Mine, x.Theirs = a, b
		amy.Observe(x)
		x.Mine, x.Theirs = b, a
		bob.Observe(x)
		fmt.Printf("amy may %.1f, bob %.1f\n", amy.Rates().Maximum, bob.Rates().Maximum)
	}
	// Output:
	// amy may 80.0, bob 80.0
	// amy may 4.0, bob 156.0
}
