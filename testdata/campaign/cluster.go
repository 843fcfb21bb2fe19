package main

import (
	"context"
	"time"
)

// cluster is tier B.
func cluster(ctx context.Context, r *Run) error {
	b, err := newBed(ctx, r)
	defer func() { b.close(r.Failed()) }()
	if err != nil {
		return err
	}
	r.Note("formed after %v", time.Since(r.began))
	r.Say("peers", peerCount)
	return nil
}
