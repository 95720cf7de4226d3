package passerelle

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc"
)

// callTimeout is the deadline of a unary call whose context has none.
const callTimeout = 30 * time.Second

// callUnary makes every unary call of a client: with a deadline, again while the server is too busy to begin it and the
// deadline is not reached, and with typed errors.
func callUnary(ctx context.Context, method string, request, response any, conn *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	callCtx := ctx
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		callCtx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	deadline, _ := callCtx.Deadline()
	patience := newPatience(time.Until(deadline))
	for {
		err := typed(ctx, invoke(callCtx, method, request, response, conn, options...))
		var failure *Error
		if !errors.As(err, &failure) || failure.Reason != "OVERLOADED" {
			return err
		}
		if err := patience.wait(callCtx, failure, true); err != nil {
			return err
		}
	}
}

// callStream begins every stream of a client; its errors are typed too.
func callStream(ctx context.Context, description *grpc.StreamDesc, conn *grpc.ClientConn, method string,
	begin grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := begin(ctx, description, conn, method, options...)
	if err != nil {
		return nil, typed(ctx, err)
	}
	return typedStream{stream, ctx}, nil
}

// typedStream is a stream whose errors are *Error.
type typedStream struct {
	grpc.ClientStream
	ctx context.Context
}

func (s typedStream) SendMsg(message any) error {
	return typed(s.ctx, s.ClientStream.SendMsg(message))
}

func (s typedStream) RecvMsg(message any) error {
	return typed(s.ctx, s.ClientStream.RecvMsg(message))
}

func (s typedStream) CloseSend() error {
	return typed(s.ctx, s.ClientStream.CloseSend())
}
