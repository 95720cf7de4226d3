package passerelle

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"

	v1 "passerelle.dev/go/passerellev1"
)

const (
	defaultBatchRecords = 2_000
	batchBytes          = 1 << 20 // of about this size a batch is cut, so that no message is over the server's limit
	windowBatches       = 4       // that the server reads before it acknowledges one
)

// Run says how an ingest is run; the zero value is good.
type Run struct {
	// BatchRecords is how many records one message holds at most; 0: 2,000. Less if the server takes less.
	BatchRecords int
	// RetryFor is how long a named stream is opened again and again while the server is away or busy, its destination is
	// changed in mid-stream, or it ends too early, and nothing gets on; 0: a minute, less: it is not opened again.
	RetryFor time.Duration
	// OnProgress, if not nil, is told how many records of the stream are durable, after each acknowledgement.
	OnProgress func(nextOffset int64)
	// OnRow, if not nil, gets the rows that did not simply apply, instead of the result.
	OnRow func(*v1.RowOutcome)
}

// IngestResult is what became of one ingest. The sum of Counts is Received.
type IngestResult struct {
	// TotalRecords is how many records the stream has in all.
	TotalRecords int64
	// Received is how many of this call's records were new.
	Received int64
	// AlreadyKnown is how many the server had, but was sent again.
	AlreadyKnown int64
	// Reconnects is how often the stream was opened again.
	Reconnects int
	// Counts of the new records by outcome, without prefix, for example "CREATED".
	Counts map[string]int64
	// Totals by outcome over the stream's life; their sum is TotalRecords.
	Totals map[string]int64
	// Rows that did not simply apply, with reason and field.
	Rows []*v1.RowOutcome
	// CommitToken, handed to a read, makes it see at least these records.
	CommitToken string
}

// answer is a message of the server, of whichever ingest.
type answer interface {
	GetOpened() *v1.StreamOpened
	GetAck() *v1.IngestAck
	GetFinished() *v1.IngestFinished
}

// ingestCall is one opening of a stream.
type ingestCall struct {
	send    func(message any) error
	receive func() (answer, error)
	cancel  context.CancelFunc
}

// opener makes calls of one method of the stubs.
func opener[Request, Response any](
	method func(context.Context, ...grpc.CallOption) (grpc.BidiStreamingClient[Request, Response], error),
) func(context.Context) (*ingestCall, error) {
	return func(ctx context.Context) (*ingestCall, error) {
		ctx, cancel := context.WithCancel(ctx)
		stream, err := method(ctx)
		if err != nil {
			cancel()
			return nil, err
		}
		receive := func() (answer, error) {
			message, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				err = brokenOff("the server ended the stream without its last message")
			}
			if err != nil {
				return nil, err
			}
			return any(message).(answer), nil
		}
		return &ingestCall{stream.SendMsg, receive, cancel}, nil
	}
}

// tell sends a message. If the server has ended the call meanwhile, the next receive says why.
func (c *ingestCall) tell(message any) error {
	if err := c.send(message); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// ingest is the loop that nobody should write alone: it goes on wherever it was broken off.
type ingest[T any] struct {
	stream string // its name; without one nothing tells what was accepted, and it is not opened again
	begin  func(context.Context) (*ingestCall, error)
	open   any
	batch  func(offset int64, rows []T) (any, error)
	finish func(*v1.IngestFinish) any
	size   func(T) int
	// remap reads anew which attributes a destination's fields are; nil: there is no destination.
	remap  func(context.Context) error
	run    Run
	rows   *reader[T]
	result *IngestResult
	// durable is how far the stream was when last heard of.
	durable int64
}

// all sends all rows and returns when they are durable and accounted for. The result tells how far it got in any case.
func (i *ingest[T]) all(ctx context.Context, source Source[T]) (*IngestResult, error) {
	i.rows = &reader[T]{source: source}
	defer i.rows.close()
	i.result = &IngestResult{Counts: map[string]int64{}, Totals: map[string]int64{}}
	patience := newPatience(i.run.RetryFor)
	for {
		before := i.durable
		err := i.once(ctx)
		if err == nil {
			return i.result, nil
		}
		if i.rows.failed != nil {
			return i.result, i.rows.failed // no server's error, even if it looks like one: rows may come from another export
		}
		if i.durable > before { // also what an acknowledgement that was lost would have told
			patience.progressed()
		}
		if err := patience.wait(ctx, err, i.stream != ""); err != nil {
			return i.result, err
		}
		if err := i.remapAfter(ctx, err); err != nil {
			return i.result, err
		}
		i.result.Reconnects++
	}
}

// remapAfter prepares for a mapping that changed: fields may now be of attributes of other types.
func (i *ingest[T]) remapAfter(ctx context.Context, err error) error {
	var failure *Error
	if i.remap == nil || !errors.As(err, &failure) || failure.Reason != mappingChanged {
		return nil
	}
	return i.remap(ctx)
}

// once opens the stream, sends what it does not have, and finishes it.
func (i *ingest[T]) once(ctx context.Context) error {
	call, err := i.begin(ctx)
	if err != nil {
		return err
	}
	defer call.cancel()
	if err := call.tell(i.open); err != nil {
		return err
	}
	first, err := call.receive()
	if err != nil {
		return err
	}
	opened := first.GetOpened()
	if opened == nil {
		return misplaced()
	}
	i.durable = opened.GetNextOffset()
	i.rows.seek(i.durable)
	limit := i.run.BatchRecords
	if limit <= 0 {
		limit = defaultBatchRecords
	}
	if opened.GetMaxBatchRecords() > 0 {
		limit = min(limit, int(opened.GetMaxBatchRecords()))
	}
	if err := i.sendAll(call, limit); err != nil {
		return err
	}
	return i.conclude(call)
}

// sendAll sends batches until the source ends, and returns when all of them are acknowledged.
func (i *ingest[T]) sendAll(call *ingestCall, limit int) error {
	var inFlight []int64 // the offsets after batches that are not acknowledged
	for more := true; more || len(inFlight) > 0; {
		if more {
			offset, rows, err := i.rows.take(limit, batchBytes, i.size)
			if err != nil {
				return err
			}
			if more = len(rows) > 0; more {
				message, err := i.batch(offset, rows)
				if err != nil {
					return err
				}
				if err := call.tell(message); err != nil {
					return err
				}
				inFlight = append(inFlight, offset+int64(len(rows)))
			}
		}
		for len(inFlight) > 0 && (!more || len(inFlight) >= windowBatches) {
			next, err := i.acknowledged(call)
			if err != nil {
				return err
			}
			for len(inFlight) > 0 && inFlight[0] <= next {
				inFlight = inFlight[1:]
			}
		}
	}
	return nil
}

// acknowledged reads one acknowledgement and returns how far the stream is.
func (i *ingest[T]) acknowledged(call *ingestCall) (int64, error) {
	message, err := call.receive()
	if err != nil {
		return 0, err
	}
	ack := message.GetAck()
	if ack == nil {
		return 0, misplaced()
	}
	i.durable = max(i.durable, ack.GetNextOffset())
	i.rows.forget(ack.GetNextOffset())
	i.result.add(ack, i.run.OnRow)
	if i.run.OnProgress != nil {
		i.run.OnProgress(ack.GetNextOffset())
	}
	return ack.GetNextOffset(), nil
}

func (i *ingest[T]) conclude(call *ingestCall) error {
	if err := call.tell(i.finish(&v1.IngestFinish{TotalRecords: i.rows.end()})); err != nil {
		return err
	}
	message, err := call.receive()
	if err != nil {
		return err
	}
	finished := message.GetFinished()
	if finished == nil {
		return misplaced()
	}
	i.result.TotalRecords = finished.GetTotalRecords()
	i.result.Totals = countsByName(finished.GetTotals())
	if finished.GetCommitToken() != "" {
		i.result.CommitToken = finished.GetCommitToken()
	}
	// All is durable, whatever the call's status says; but one that is cancelled now would look like a failure over there.
	_, _ = call.receive()
	return nil
}

func (r *IngestResult) add(ack *v1.IngestAck, onRow func(*v1.RowOutcome)) {
	r.Received += ack.GetReceived()
	r.AlreadyKnown += ack.GetAlreadyKnown()
	if ack.GetCommitToken() != "" {
		r.CommitToken = ack.GetCommitToken()
	}
	for name, rows := range countsByName(ack.GetCounts()) {
		r.Counts[name] += rows
	}
	if onRow == nil {
		r.Rows = append(r.Rows, ack.GetRows()...)
		return
	}
	for _, row := range ack.GetRows() {
		onRow(row)
	}
}

func countsByName(counts []*v1.OutcomeCount) map[string]int64 {
	byName := map[string]int64{}
	for _, count := range counts {
		if count.GetRows() > 0 {
			byName[enumName(count.GetOutcome().Descriptor(), count.GetOutcome().Number())] += count.GetRows()
		}
	}
	return byName
}
