//go:build !linux

package main

import "time"

// nap sleeps, with the precision of the system's timers.
func nap(d time.Duration) { time.Sleep(d) }
