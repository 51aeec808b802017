package flowcontrol

import "time"

// Exchange is what one exchange showed one side of it.
type Exchange struct {
	Time      time.Time
	Initiated bool    // by this side
	Nodes     int     // living members of the cluster, this one included
	Pending   float64 // updates that were to be sent, in the fuller direction as far as this side knows
	Budget    float64 // updates that the budget carries per direction; may be infinite, or 0 if not known
	Mine      Rates   // what this side told, however long ago
	Theirs    Rates   // what the other side told; zero: it takes no part
}

// Controller adapts a node's maximum rate τ to what its exchanges show. A
// controller belongs to one [Participant] and has its state.
type Controller interface {
	// Adapt returns τ after an exchange; tau is what the pair's sharing left. It is called once for each exchange, in the order of time.
	Adapt(x Exchange, tau float64) float64
	// Capacity returns how many updates per second this node's exchanges can carry,
	// 0 if the controller does not know.
	Capacity() float64
}
