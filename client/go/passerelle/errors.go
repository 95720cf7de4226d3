package passerelle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrInvalidUse is what errors.Is finds in every error that this client makes before any call: a row that does not fit
// what was opened, an API key that would leave this machine in plaintext, a file that cannot be read.
var ErrInvalidUse = errors.New("invalid use")

// mappingChanged is the reason of a stream that ended because its destination was changed.
const mappingChanged = "MAPPING_CHANGED"

// FieldViolation is a field of the request that was refused, and why.
type FieldViolation struct {
	Field       string
	Description string
}

// Error is a call that failed. Every call on a stub of a Client, and every loop of this package, fails with one:
//
//	var failure *passerelle.Error
//	if errors.As(err, &failure) && failure.Reason == "DESTINATION_PAUSED" { ... }
//
// errors.Is finds context.Canceled and context.DeadlineExceeded in it if the caller's context ended the call;
// status.FromError reads it as any gRPC error.
type Error struct {
	Code    codes.Code
	Message string
	// Reason is a value of passerellev1.ErrorReason without its prefix, for example "DESTINATION_PAUSED"; empty where gRPC
	// itself failed (no connection, an oversized message).
	Reason string
	// Metadata is what the server says beside the reason, for example "next_offset".
	Metadata        map[string]string
	FieldViolations []FieldViolation
	// RetryDelay is how long the server asks to wait before the call is made again; 0 where it does not ask.
	RetryDelay time.Duration

	status         *status.Status
	asksToRetry    bool
	endedByContext error
	clientClosed   bool
}

// newError reads what a call of gRPC failed with; ctx is that of the call's maker.
func newError(ctx context.Context, err error) *Error {
	answer := status.Convert(err)
	if answer.Code() == codes.Internal && answer.Message() == io.ErrUnexpectedEOF.Error() {
		// Go's gRPC says so when the server's end comes in the middle of a message; between two it says UNAVAILABLE.
		answer = status.New(codes.Unavailable, "the call was cut off in the middle of a message")
	}
	failure := &Error{Code: answer.Code(), Message: answer.Message(), status: answer}
	failure.clientClosed = errors.Is(err, grpc.ErrClientConnClosing)
	if failure.Code == codes.Canceled || failure.Code == codes.DeadlineExceeded {
		failure.endedByContext = ctx.Err()
	}
	for _, detail := range answer.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			failure.Reason, failure.Metadata = detail.Reason, detail.Metadata
		case *errdetails.BadRequest:
			for _, violation := range detail.FieldViolations {
				failure.FieldViolations = append(failure.FieldViolations, FieldViolation{violation.Field, violation.Description})
			}
		case *errdetails.RetryInfo:
			failure.RetryDelay, failure.asksToRetry = detail.RetryDelay.AsDuration(), true
		}
	}
	return failure
}

// typed gives errors of gRPC as *Error, and all others (an orderly end, what is typed already) as they are.
func typed(ctx context.Context, err error) error {
	var failure *Error
	if err == nil || errors.Is(err, io.EOF) || errors.As(err, &failure) {
		return err
	}
	return newError(ctx, err)
}

// brokenOff is the error of a stream that its server ended well, but before its last message.
func brokenOff(message string) *Error {
	return newError(context.Background(), status.Error(codes.Unavailable, message))
}

// misplaced is the error of a server that breaks its own rules.
func misplaced() *Error {
	return newError(context.Background(), status.Error(codes.Internal,
		"the server sent a message that this place in the stream does not have"))
}

// endOf is the error of a context that ended while nothing was called.
func endOf(ctx context.Context) error {
	return newError(ctx, status.FromContextError(ctx.Err()).Err())
}

// CodeName is the code as the gRPC specification writes it, for example "NOT_FOUND".
func (e *Error) CodeName() string { return code.Code(e.Code).String() }

// Error says code, reason and message.
func (e *Error) Error() string {
	return strings.TrimSuffix(e.CodeName()+" "+e.Reason, " ") + ": " + e.Message
}

// Retryable tells whether the same may succeed later: the server was away, was too busy and said so, was stopped while
// it worked, or ended a stream because its destination was changed (MAPPING_CHANGED), which may be opened again at once.
// Of a call that the server was stopped in, gRPC says CANCELLED and the server no reason; whether it was done is not
// known. A stream that ended without an error, but before its last message, is UNAVAILABLE.
func (e *Error) Retryable() bool {
	switch e.Code {
	case codes.Unavailable:
		return true
	case codes.ResourceExhausted:
		return e.asksToRetry
	case codes.Aborted:
		return e.Reason == mappingChanged
	case codes.Canceled:
		return e.Reason == "" && e.endedByContext == nil && !e.clientClosed
	default:
		return false
	}
}

// GRPCStatus is what status.FromError reads.
func (e *Error) GRPCStatus() *status.Status { return e.status }

// Unwrap gives the context's error if the caller's context ended the call.
func (e *Error) Unwrap() error { return e.endedByContext }

// useError is found by errors.Is(err, ErrInvalidUse) and does not repeat its words.
type useError struct{ cause error }

func (e useError) Error() string   { return e.cause.Error() }
func (e useError) Unwrap() []error { return []error{ErrInvalidUse, e.cause} }

func misuse(format string, arguments ...any) error {
	return useError{fmt.Errorf(format, arguments...)}
}
