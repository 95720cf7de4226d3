package passerelle

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

func failed(code codes.Code, details ...protoadapt.MessageV1) *Error {
	with, err := status.New(code, "city: is required").WithDetails(details...)
	if err != nil {
		panic(err)
	}
	return newError(context.Background(), with.Err())
}

func TestAnErrorTellsWhatTheServerSaid(t *testing.T) {
	failure := failed(codes.InvalidArgument,
		&errdetails.ErrorInfo{Reason: "FIELD_REQUIRED", Metadata: map[string]string{"a": "b"}},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "city", Description: "why"}}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)})
	if failure.Error() != "INVALID_ARGUMENT FIELD_REQUIRED: city: is required" {
		t.Error(failure.Error())
	}
	if failure.Reason != "FIELD_REQUIRED" || failure.Metadata["a"] != "b" || failure.RetryDelay != 1500*time.Millisecond ||
		len(failure.FieldViolations) != 1 || failure.FieldViolations[0] != (FieldViolation{"city", "why"}) {
		t.Errorf("got %+v", failure)
	}
	answer, ok := status.FromError(failure)
	if !ok || answer.Code() != codes.InvalidArgument || len(answer.Details()) != 3 {
		t.Errorf("gRPC reads it as %v, %v", answer, ok)
	}
}

func TestWhatMaySucceedLater(t *testing.T) {
	soon := &errdetails.RetryInfo{RetryDelay: durationpb.New(0)}
	reason := &errdetails.ErrorInfo{Reason: "LIMIT_REACHED"}
	for _, c := range []struct {
		failure *Error
		wanted  bool
	}{
		{failed(codes.Unavailable), true},
		{failed(codes.ResourceExhausted, soon), true},
		{failed(codes.ResourceExhausted, reason), false},
		{failed(codes.Canceled), true},
		{failed(codes.Canceled, reason), false},
		{failed(codes.DeadlineExceeded), false},
		{failed(codes.Aborted), false},
		{failed(codes.Aborted, &errdetails.ErrorInfo{Reason: "EPOCH_FENCED"}), false},
		{failed(codes.Aborted, &errdetails.ErrorInfo{Reason: "MAPPING_CHANGED"}), true},
		{failed(codes.Internal), false},
	} {
		if c.failure.Retryable() != c.wanted {
			t.Errorf("%v: wanted %v", c.failure, c.wanted)
		}
	}
}

func TestACallThatWasCutOffInAMessageMaySucceedLater(t *testing.T) {
	failure := newError(context.Background(), status.Error(codes.Internal, io.ErrUnexpectedEOF.Error()))
	if failure.Code != codes.Unavailable || !failure.Retryable() || status.Code(failure) != codes.Unavailable {
		t.Errorf("got %v", failure)
	}
}

func TestWhatTheCallerEndedIsOver(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := typed(ctx, status.FromContextError(ctx.Err()).Err())
	var failure *Error
	if !errors.As(err, &failure) || failure.Retryable() || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := newPatience(time.Minute).wait(ctx, err, true); err == nil {
		t.Error("another try after the caller's end")
	}
	if typed(ctx, io.EOF) != io.EOF || typed(ctx, nil) != nil || typed(ctx, failure) != error(failure) {
		t.Error("an end, nothing, and what is typed already stay as they are")
	}
}

func TestPatienceWaitsAsLongAsTheServerAsks(t *testing.T) {
	patience := newPatience(time.Minute)
	begin := time.Now()
	busy := failed(codes.ResourceExhausted, &errdetails.RetryInfo{RetryDelay: durationpb.New(200 * time.Millisecond)})
	if err := patience.wait(context.Background(), busy, true); err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(begin); waited < 200*time.Millisecond {
		t.Errorf("waited %s", waited)
	}
	if patience.delay != 2*firstDelay || patience.failingSince.IsZero() {
		t.Errorf("got %+v", patience)
	}
	patience.progressed()
	if patience.delay != firstDelay || !patience.failingSince.IsZero() {
		t.Errorf("after progress: got %+v", patience)
	}
}

func TestPatienceEnds(t *testing.T) {
	background := context.Background()
	away := failed(codes.Unavailable)
	ending, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	tired := newPatience(time.Minute)
	tired.failingSince = time.Now().Add(-time.Minute)
	for name, err := range map[string]error{
		"no second try is wanted":         newPatience(-1).wait(background, away, true),
		"it cannot be repeated":           newPatience(0).wait(background, away, false),
		"another try would not help":      newPatience(0).wait(background, failed(codes.NotFound), true),
		"it is no error of a call":        newPatience(0).wait(background, io.ErrUnexpectedEOF, true),
		"there is no time before the end": newPatience(0).wait(ending, away, true),
		"nothing got on for too long":     tired.wait(background, away, true),
	} {
		if err == nil {
			t.Error(name)
		}
	}
}
