package main

import (
	"context"
	"errors"
	"time"
)

// pollEvery is how often the example looks whether something has come true.
const pollEvery = time.Millisecond

// errLate is returned by poll when the time is up.
var errLate = errors.New("time is up")

// poll waits until done returns true.
func poll(ctx context.Context, within time.Duration, done func() bool) error {
	deadline := time.Now().Add(within)
	for !done() {
		if time.Now().After(deadline) {
			return errLate
		}
		if err := sleep(ctx, pollEvery); err != nil {
			return err
		}
	}
	return nil
}

// sleep waits for a time, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
