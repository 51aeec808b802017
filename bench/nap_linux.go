package main

import (
	"syscall"
	"time"
)

// nap sleeps for a fraction of a millisecond. time.Sleep takes a whole one when
// nothing else goes on in the process.
func nap(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // a signal ends it early: no harm
}
