package passerelle

import (
	"context"
	"errors"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	v1 "passerelle.dev/go/passerellev1"
)

// Export says which log rows ExportLogs gives.
type Export struct {
	// Source is the id of a source; empty: an export of your own, by Filter and Fields.
	Source string
	// Consumer is the id of a consumer of the source: the export begins after what it has acknowledged.
	Consumer string
	// Cursor is where to begin instead: that of the last batch you have.
	Cursor string
	// Follow goes on as rows are appended, with heartbeats between, until the context ends.
	Follow bool
	// Filter and Fields choose rows and fields of an export of your own; empty: all.
	Filter *v1.LogFilter
	Fields []string
	// MaxBatchRows is how many rows a batch has at most; 0: as the server likes it.
	MaxBatchRows int32
	// RetryFor is how long to reconnect while the server is away, or ends the export too early, and no batch comes; 0: a
	// minute, less: not at all.
	RetryFor time.Duration
}

// LogBatch is rows and the cursor after them. Store the cursor with what you did with the rows, or acknowledge it.
// One without rows needs no acknowledging: an export by a consumer does that itself, once every batch with rows
// before it is acknowledged and the next one is asked for.
type LogBatch struct {
	Rows   []*v1.LogEntry
	Cursor string
	// Sequence is that of the log which the cursor stands for.
	Sequence int64
	// Heartbeat: nothing matched for a while; the cursor may still have moved.
	Heartbeat bool
	Header    *v1.ExportLogsResponse_Header

	acknowledgements *acknowledgements
}

// Acknowledge tells the consumer's position, durably: an export by this consumer begins after these rows. It waits
// for a server that is away as long as the export itself would. ErrInvalidUse if the export is by no consumer.
func (b *LogBatch) Acknowledge(ctx context.Context) error { return b.acknowledgements.tell(ctx, b) }

// Records gives the rows as maps of the chosen fields, under the names that the source gives them: times as
// time.Time, enums by name without prefix, nil where nothing is set. Fields that are newer than this client are left out.
func (b *LogBatch) Records() iter.Seq[map[string]any] {
	return func(yield func(map[string]any) bool) {
		for _, row := range b.Rows {
			record := map[string]any{}
			for _, field := range b.Header.GetFields() {
				name := field.GetRename()
				if name == "" {
					name = field.GetField()
				}
				if value, known := readable(row, field.GetField()); known {
					record[name] = value
				}
			}
			if !yield(record) {
				return
			}
		}
	}
}

// readable is a field's value for people, nil if it is not set.
func readable(row *v1.LogEntry, name string) (value any, known bool) {
	message := row.ProtoReflect()
	field := message.Descriptor().Fields().ByName(protoreflect.Name(name))
	if field == nil {
		return nil, false
	}
	stored, kind := message.Get(field), field.Kind()
	isTime := strings.HasSuffix(name, "_time_us")
	switch {
	case !message.Has(field) && (isTime || kind == protoreflect.EnumKind || kind == protoreflect.StringKind):
		return nil, true
	case isTime:
		return time.UnixMicro(stored.Int()).UTC(), true
	case kind == protoreflect.EnumKind:
		return enumName(field.Enum(), stored.Enum()), true
	case kind == protoreflect.Int32Kind:
		return stored.Int(), true
	default:
		return stored.Interface(), true
	}
}

// enumName is the name without the enum's prefix; the number, as text, of a value that is newer than this client.
func enumName(enum protoreflect.EnumDescriptor, number protoreflect.EnumNumber) string {
	value := enum.Values().ByNumber(number)
	if value == nil {
		return strconv.Itoa(int(number))
	}
	prefix := strings.TrimSuffix(string(enum.Values().ByNumber(0).Name()), "UNSPECIFIED")
	return strings.TrimPrefix(string(value.Name()), prefix)
}

// acknowledgements of one export: how far its consumer was told to be, and what was given that it may not have been
// told.
type acknowledgements struct {
	acknowledge func(ctx context.Context, cursor string) error // nil: by no consumer
	isBehind    func(context.Context) (bool, error)
	told, given int64
}

// begin says where the export begins. What lies before a cursor of the caller's own is the caller's to acknowledge.
func (a *acknowledgements) begin(sequence int64, fromConsumer bool) {
	a.given, a.told = sequence, -1
	if fromConsumer {
		a.told = sequence
	}
}

func (a *acknowledgements) give(batch *LogBatch) {
	if len(batch.Rows) > 0 {
		a.given = batch.Sequence
	}
}

func (a *acknowledgements) tell(ctx context.Context, batch *LogBatch) error {
	if a.acknowledge == nil {
		return misuse("only an export by a source's consumer can be acknowledged")
	}
	if err := a.acknowledge(ctx, batch.Cursor); err != nil {
		return err
	}
	a.told = max(a.told, batch.Sequence)
	return nil
}

// passOver tells of a batch without rows, if all rows before it are acknowledged and the consumer is behind: sequences
// grow by acknowledging too.
func (a *acknowledgements) passOver(ctx context.Context, batch *LogBatch) error {
	if a.acknowledge == nil || len(batch.Rows) > 0 || a.given > a.told || a.told >= batch.Sequence {
		return nil
	}
	behind, err := a.isBehind(ctx)
	if err != nil {
		return err
	}
	if behind {
		if err := a.tell(ctx, batch); err != nil {
			return err
		}
	}
	a.told = batch.Sequence
	return nil
}

// Acknowledge stores a consumer's position, durably.
func (c *Client) Acknowledge(ctx context.Context, source, consumer, cursor string) (*v1.Consumer, error) {
	return c.Sources.Acknowledge(ctx, &v1.AcknowledgeRequest{Name: c.consumer(source, consumer), Cursor: cursor})
}

func (c *Client) consumer(source, id string) string {
	return c.Name("sources", source, "consumers", id)
}

// ExportLogs gives log rows from a cursor or a consumer's position on, in batches. While the server is away it waits
// and goes on after the last batch. An error is the last thing given; ending the loop, or the context, ends the
// export.
//
//	for batch, err := range client.ExportLogs(ctx, passerelle.Export{Source: "crm", Consumer: "default"}) { ... }
//
// The batches' Acknowledge may be called in the loop only.
func (c *Client) ExportLogs(ctx context.Context, what Export) iter.Seq2[*LogBatch, error] {
	return func(yield func(*LogBatch, error) bool) {
		export := logExport{
			client: c, request: c.exportRequest(what), patience: newPatience(what.RetryFor),
			acknowledgements: c.acknowledgements(what), yield: func(batch *LogBatch) bool { return yield(batch, nil) },
		}
		for {
			over, err := export.once(ctx)
			if !over {
				err = export.patience.wait(ctx, err, true)
			}
			if err != nil {
				yield(nil, err)
			}
			if over || err != nil {
				return
			}
		}
	}
}

func (c *Client) exportRequest(what Export) *v1.ExportLogsRequest {
	request := &v1.ExportLogsRequest{
		Name: c.Instance, Consumer: what.Consumer, Cursor: what.Cursor, Follow: what.Follow, Filter: what.Filter,
		Fields: what.Fields, MaxBatchRows: what.MaxBatchRows,
	}
	if what.Source != "" {
		request.Name = c.Name("sources", what.Source)
	}
	return proto.CloneOf(request)
}

func (c *Client) acknowledgements(what Export) *acknowledgements {
	if what.Consumer == "" {
		return &acknowledgements{}
	}
	return &acknowledgements{
		acknowledge: func(ctx context.Context, cursor string) error {
			_, err := patiently(ctx, what.RetryFor, func() (*v1.Consumer, error) {
				return c.Acknowledge(ctx, what.Source, what.Consumer, cursor)
			})
			return err
		},
		isBehind: func(ctx context.Context) (bool, error) {
			get := &v1.GetConsumerRequest{Name: c.consumer(what.Source, what.Consumer)}
			consumer, err := patiently(ctx, what.RetryFor, func() (*v1.Consumer, error) {
				return c.Sources.GetConsumer(ctx, get)
			})
			return consumer.GetLag() > 0, err
		},
	}
}

// logExport is one loop of ExportLogs.
type logExport struct {
	client           *Client
	request          *v1.ExportLogsRequest
	patience         *patience
	acknowledgements *acknowledgements
	header           *v1.ExportLogsResponse_Header
	yield            func(*LogBatch) bool
}

// once makes the call once. It is over when the server has given everything, the caller wants no more, or an
// acknowledgement failed for good.
func (e *logExport) once(ctx context.Context) (over bool, err error) {
	callCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := e.client.Logs.ExportLogs(callCtx, e.request)
	if err != nil {
		return false, err
	}
	var header *v1.ExportLogsResponse_Header // this call's own
	var sequence int64
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			if e.whole(header, sequence) {
				return true, nil
			}
			return false, brokenOff("the server ended the export before its end")
		}
		if err != nil {
			return false, err
		}
		sequence = message.GetSequence()
		if message.GetHeader() != nil {
			header = message.GetHeader()
			if e.header == nil {
				e.acknowledgements.begin(message.GetSequence(), e.request.GetCursor() == "")
			}
			e.header = header
			continue
		}
		if over, err := e.give(ctx, message); over {
			return true, err
		}
	}
}

// whole tells whether a call that ended well gave all: its header says where its end is, and one that follows has none.
func (e *logExport) whole(header *v1.ExportLogsResponse_Header, sequence int64) bool {
	return header != nil && !e.request.GetFollow() && sequence >= header.GetEndSequence()
}

func (e *logExport) give(ctx context.Context, message *v1.ExportLogsResponse) (over bool, err error) {
	e.request.Cursor = message.GetCursor()
	e.patience.progressed()
	batch := &LogBatch{
		Rows: message.GetRows(), Cursor: message.GetCursor(), Sequence: message.GetSequence(),
		Heartbeat: message.GetHeartbeat(), Header: e.header, acknowledgements: e.acknowledgements,
	}
	e.acknowledgements.give(batch)
	if !e.yield(batch) {
		return true, nil
	}
	err = e.acknowledgements.passOver(ctx, batch)
	return err != nil, err
}
