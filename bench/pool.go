package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"
)

// job is one independent run.
type job struct {
	name string
	run  func(ctx context.Context) error
}

// runAll runs jobs, as many at once as there are processors, the first ones
// first, and writes a line to progress when one is done. It returns the first
// error, or ctx's, when all that were begun have ended.
func runAll(ctx context.Context, jobs []job, progress io.Writer) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan job, len(jobs))
	for _, j := range jobs {
		next <- j
	}
	close(next)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex // guards what follows and progress
		done int
	)
	begin := time.Now()
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		wg.Go(func() {
			for j := range next {
				if ctx.Err() != nil {
					return
				}
				if err := j.run(ctx); err != nil {
					cancel(fmt.Errorf("%s: %w", j.name, err))
					return
				}
				mu.Lock()
				done++
				fmt.Fprintf(progress, "%6.1fs  %d of %d  %s\n", time.Since(begin).Seconds(), done, len(jobs), j.name)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
