package engine

import (
	"sort"
	"time"

	"github.com/insecure-scuttlebutt/scuttlebutt/clock"
)

// arrivals remembers when the versions of a replica arrived here, in runs of
// versions: exactly (to the next exchange) for the latest runs, more coarsely the
// longer ago. It takes no memory per update: at most maxArrivals runs, however
// many versions.
type arrivals []arrival

// arrival is a run of versions, from the end of the run before it.
type arrival struct {
	through      clock.Version
	since, until clock.Timestamp // when the first and the last of the run arrived
}

// maxArrivals bounds the runs of one replica. With 16, under steady writes every
// second for an hour, a run takes about as long as it is ago, or less.
const maxArrivals = 16

// note says that everything up to version is known now. It is called before
// every exchange, so that nothing is sent of which the arrival is not noted.
func (a *arrivals) note(version clock.Version, now time.Time) {
	n := len(*a)
	if n > 0 && (*a)[n-1].through == version || version == 0 {
		return
	}
	if n > 0 && (*a)[n-1].through > version {
		*a, n = nil, 0 // a fork made the replica start again (R1)
	}
	at := clock.TimestampOf(now)
	if n > 0 && (*a)[n-1].until > at { // the clock was set back
		for i := range *a {
			(*a)[i].since, (*a)[i].until = min((*a)[i].since, at), min((*a)[i].until, at)
		}
	}
	if n == maxArrivals {
		a.merge(at)
	}
	*a = append(*a, arrival{version, at, at})
}

// merge joins the two neighbours that take the least time together, compared
// with how long they are ago.
func (a *arrivals) merge(now clock.Timestamp) {
	all := *a
	best, least := 0, 0.0
	for i := range all[:len(all)-1] {
		ago := now - all[i+1].until + 1
		if r := float64(all[i+1].until-all[i].since) / float64(ago); i == 0 || r < least {
			best, least = i, r
		}
	}
	all[best+1].since = all[best].since
	*a = append(all[:best], all[best+1:]...)
}

// clamp returns t as far as it can be believed of an update that arrived here:
// not after its arrival, and not more than slack before it.
func (a arrivals) clamp(version clock.Version, t, slack clock.Timestamp) clock.Timestamp {
	i := sort.Search(len(a), func(i int) bool { return a[i].through >= version })
	if i == len(a) {
		return t
	}
	return min(max(t, a[i].since-min(slack, a[i].since)), a[i].until)
}
