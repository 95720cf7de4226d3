package passerelle

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
)

const (
	defaultRetryFor = time.Minute
	firstDelay      = 100 * time.Millisecond
	longestDelay    = 3 * time.Second
)

// patience of one loop: it gives up when tries have failed for retryFor and nothing got on. However long a connection
// was silent before it failed, there is another try. Not for several goroutines.
type patience struct {
	retryFor     time.Duration
	delay        time.Duration
	failingSince time.Time
}

// newPatience takes what callers say: 0 is a minute, less is no second try.
func newPatience(retryFor time.Duration) *patience {
	if retryFor == 0 {
		retryFor = defaultRetryFor
	}
	return &patience{retryFor: retryFor, delay: firstDelay}
}

// progressed says that something got on: the next failure counts as the first, and the wait after it is short.
func (p *patience) progressed() {
	p.delay, p.failingSince = firstDelay, time.Time{}
}

// wait waits before the next try, at least as long as the server asks. It returns the error to give up with: if another
// try would not help, or not before ctx ends, or for too long did not.
func (p *patience) wait(ctx context.Context, err error, repeatable bool) error {
	now := time.Now()
	if p.failingSince.IsZero() {
		p.failingSince = now
	}
	var failure *Error
	if !errors.As(err, &failure) || !repeatable || !passing(failure) || now.Sub(p.failingSince) >= p.retryFor {
		return err
	}
	delay := time.Duration(float64(max(p.delay, failure.RetryDelay)) * (1 + rand.Float64()/4))
	if deadline, ok := ctx.Deadline(); ok && !now.Add(delay).Before(deadline) {
		return err
	}
	p.delay = min(2*p.delay, longestDelay)
	select {
	case <-time.After(delay):
		return nil
	case <-ctx.Done():
		return endOf(ctx)
	}
}

// passing tells whether a loop may try again. A call that the server's end cut off arrives as cancelled, at times with
// the server's reason for it; what the caller's context ended is over, and all that a closed client does.
func passing(failure *Error) bool {
	over := failure.endedByContext != nil || failure.clientClosed
	return !over && (failure.Retryable() || failure.Code == codes.Canceled)
}

// patiently makes a read that a loop needs before it begins: it waits for the server as the loop itself does.
func patiently[T any](ctx context.Context, retryFor time.Duration, read func() (T, error)) (T, error) {
	patience := newPatience(retryFor)
	for {
		answer, err := read()
		if err == nil {
			return answer, nil
		}
		if err := patience.wait(ctx, err, true); err != nil {
			return answer, err
		}
	}
}
