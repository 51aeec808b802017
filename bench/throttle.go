package main

import (
	"context"
	"errors"
	"io"
)

func runThrottle(context.Context, []string, io.Writer, io.Writer) error {
	return errors.New("throttle is not there yet")
}
