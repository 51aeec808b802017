package sim_test

import (
	"fmt"
	"testing"
)

// Runs of swarms of one model that broke an invariant once, and why.
func TestSwarmSeedsOfModels(t *testing.T) {
	for _, tt := range []struct {
		model string
		seed  int64
		why   string
	}{
		{"map", 832, "a newcomer heard of replicas that had vanished, and was clean without what took their place"},
		{"register", 1138, "the same"},
		{"set", 1407, "a newcomer got what was dead from somebody who had not heard of what had vanished"},
		{"log", 739, "nobody was clean, and one kept updates of a replica that had vanished for the others"},
		{"set", 1284, "the oracle was given updates in another order than that of time, beside contexts that leave out what is dead"},
		{"counter", 81, "a clock was too far ahead to be believed, and its replica had vanished"},
		{"map", 1042, "an update came late to a node that had agreed that its replica may vanish, before it heard that it had"},
		{"counter", 1317, "a new epoch was an earlier life's, of which nobody there had heard: the clock had stepped back"},
		{"log", 98, "two took each other, one for an earlier life, the other for one that is over"},
		{"presence", 1053, "a withdrawal stayed over which a later one had been collected, whose replica had vanished"},
		{"presence", 1859, "of the last two, both dirty, one had collected what the other had not, and had back what that supersedes"},
	} {
		t.Run(fmt.Sprint(tt.model, " ", tt.seed), func(t *testing.T) {
			t.Parallel()
			s, err := newModelSwarm(tt.seed, fewNodes(tt.seed), inTwoSpaces(tt.model), nil)
			if err == nil {
				err = s.run()
			}
			if err != nil {
				t.Errorf("%s: %v", tt.why, err)
			}
		})
	}
}

// Runs of the swarm that broke an invariant once, and why.
func TestSwarmSeeds(t *testing.T) {
	for _, tt := range []struct {
		seed int64
		why  string
	}{
		{51407, "the peer of a rebase collected tombstones between the hashes and the dots of the union"},
		{20829, "two that were dirty had each collected what the other did not know of"},
		{106123, "a replica vanished while its updates were being sent to one who caught up"},
		{30096, "what a node wrote that was declared lost was taken away, and with it what it had superseded"},
		{205592, "an update that had to wait for another took the room of that one in every exchange"},
		{207442, "a new epoch was the millisecond of an earlier life of which nobody had told"},
		{309377, "two nodes took each other for earlier lives"},
		{402297, "a node was rebased on a newcomer that was clean because it knew nothing, not even what was over"},
		{307364, "nobody was clean, and one that relayed kept the others from giving up"},
		{807498, "two that were dirty gave up waiting for a reset while a partition hid those who were clean"},
		{825786, "two took each other, one for an earlier life, the other for one that is over, and only the other could know"},
		{881647, "what a rebase showed to be dead went once all was known that the peer of another one knew, not why it was dead"},
		{843787, "nobody was clean, and one was rebased on another that had taken over floors, and not yet what comes with them"},
		{920550, "nobody was clean, and one that was rebased on another that waited for a rebase called itself clean"},
		{935617, "who waited, and had taken over a floor, was rebased on one that did not know so much, and called itself clean"},
		{934848, "one gave up that had agreed with the clean one before it took what is dead from another"},
		{500426, "who caught up had a window of one byte, for which the bound on agreement made no allowance"},
		{851015, "some had not heard yet who was declared lost, for which the bound on agreement made no allowance"},
		{919675, "digests went in parts, and took about an Interval, for which the bound on agreement made no allowance"},
		{865328, "two that knew nothing agreed, and took that for agreement with the one whose updates they had to refuse"},
		{1929, "a table had no room for what a dirty node said is missing, and was rebased on it"},
	} {
		t.Run(fmt.Sprint(tt.seed), func(t *testing.T) {
			t.Parallel()
			s, err := newSwarm(tt.seed, weakness{}, nil)
			if err == nil {
				err = s.run()
			}
			if err != nil {
				t.Errorf("%s: %v", tt.why, err)
			}
		})
	}
}
