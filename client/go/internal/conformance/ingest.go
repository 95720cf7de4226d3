package main

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"passerelle.dev/go/passerelle"
	v1 "passerelle.dev/go/passerellev1"
)

// ingestStep is what "ingest" says.
type ingestStep struct {
	Kind              string
	Destination       string
	Audiences         []string
	Identities        []string
	Fields            []string
	Stream            string
	Replace           bool
	AsOf              string   `json:"as_of"`
	MaxRefusedPercent *float64 `json:"max_refused_percent"`
	BatchRecords      int      `json:"batch_records"`
	RetryForMS        *int64   `json:"retry_for_ms"`
	Rows              []json.RawMessage
	Generate          *struct {
		Count, First int
		Prefix       string
	}
}

// row is a Row of the protocol.
type row struct {
	Identities        map[string]*string
	Fields            map[string]any
	RecordKey         string `json:"record_key"`
	EventTime         string `json:"event_time"`
	Audience          string
	Exited            bool
	QualificationTime string `json:"qualification_time"`
}

// retryFor is how a step's patience is said to this client; none: its default.
func retryFor(milliseconds *int64) time.Duration {
	switch {
	case milliseconds == nil:
		return 0
	case *milliseconds == 0:
		return -1
	default:
		return time.Duration(*milliseconds) * time.Millisecond
	}
}

func ingest(ctx context.Context, r *runner, request request) (any, error) {
	var step ingestStep
	if err := request.read(&step); err != nil {
		return nil, err
	}
	client, err := r.client(request)
	if err != nil {
		return nil, err
	}
	result, err := step.run(ctx, client)
	if err != nil {
		return nil, err
	}
	rows := []map[string]any{}
	for _, row := range result.Rows {
		rows = append(rows, outcomeOf(row))
	}
	return map[string]any{
		"total_records": result.TotalRecords, "received": result.Received, "already_known": result.AlreadyKnown,
		"reconnects": result.Reconnects, "counts": result.Counts, "totals": result.Totals, "rows": rows,
		"commit_token": result.CommitToken,
	}, nil
}

func outcomeOf(row *v1.RowOutcome) map[string]any {
	told := map[string]any{
		"offset": row.GetOffset(), "record_key": row.GetRecordKey(), "field": row.GetField(),
		"outcome":      strings.TrimPrefix(row.GetOutcome().String(), "OUTCOME_"),
		"stale_fields": row.GetStaleFields(), "out_of_scope_fields": row.GetOutOfScopeFields(),
	}
	if row.GetReason() != 0 {
		told["reason"] = strings.TrimPrefix(row.GetReason().String(), "ROW_REASON_")
	}
	return told
}

func (s ingestStep) run(ctx context.Context, client *passerelle.Client) (*passerelle.IngestResult, error) {
	run := passerelle.Run{BatchRecords: s.BatchRecords, RetryFor: retryFor(s.RetryForMS)}
	if s.Kind == "append" {
		entries, err := source(s, readEntry, s.generateEntry)
		if err != nil {
			return nil, err
		}
		return client.AppendLogs(ctx, passerelle.Append{Stream: s.Stream, Run: run}, entries)
	}
	rows, err := source(s, readRow, s.generateRow)
	if err != nil {
		return nil, err
	}
	switch s.Kind {
	case "import":
		what := passerelle.Import{Identities: s.Identities, Fields: s.Fields, Stream: s.Stream, Run: run}
		return client.ImportProfiles(ctx, what, rows)
	case "sync":
		what := passerelle.Sync{
			Destination: s.Destination, Identities: s.Identities, Fields: s.Fields, Stream: s.Stream, Run: run,
		}
		return client.SyncProfiles(ctx, what, rows)
	case "push":
		asOf, err := moment(s.AsOf)
		if err != nil {
			return nil, err
		}
		what := passerelle.Push{
			Destination: s.Destination, Identities: s.Identities, Audiences: s.Audiences, Fields: s.Fields,
			Stream: s.Stream, Replace: s.Replace, AsOf: asOf, MaxRefusedPercent: s.MaxRefusedPercent, Run: run,
		}
		return client.PushMembers(ctx, what, rows)
	default:
		return nil, unknownStep("ingest of kind " + s.Kind)
	}
}

// source is a step's rows: those it lists, or those it wants to be made up.
func source[T any](s ingestStep, read func(json.RawMessage) (T, error), generate func(int) T) (
	passerelle.Source[T], error) {
	if s.Generate != nil {
		return passerelle.FromIterator(func(yield func(T, error) bool) {
			for i := s.Generate.First; i < s.Generate.First+s.Generate.Count; i++ {
				if !yield(generate(i), nil) {
					return
				}
			}
		}), nil
	}
	rows := []T{}
	for _, data := range s.Rows {
		row, err := read(data)
		if err != nil {
			return passerelle.Source[T]{}, invalid(err)
		}
		rows = append(rows, row)
	}
	return passerelle.FromSlice(rows), nil
}

func readRow(data json.RawMessage) (passerelle.Row, error) {
	var said row
	if err := decode(data, &said); err != nil {
		return passerelle.Row{}, err
	}
	read := passerelle.Row{
		Identities: map[string]string{}, Fields: said.Fields, RecordKey: said.RecordKey, Audience: said.Audience,
		Exited: said.Exited,
	}
	for namespace, value := range said.Identities {
		if value != nil {
			read.Identities[namespace] = *value
		}
	}
	var err error
	if read.EventTime, err = moment(said.EventTime); err != nil {
		return read, err
	}
	read.QualificationTime, err = moment(said.QualificationTime)
	return read, err
}

func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, text)
}

func readEntry(data json.RawMessage) (*v1.LogEntry, error) {
	entry := &v1.LogEntry{}
	return entry, protojson.Unmarshal(data, entry)
}

func (s ingestStep) generateRow(i int) passerelle.Row {
	text := fmt.Sprint(s.Generate.Prefix, i)
	row := passerelle.Row{Identities: map[string]string{}, Fields: map[string]any{}}
	for _, namespace := range s.Identities {
		row.Identities[namespace] = text
	}
	for _, field := range s.Fields {
		row.Fields[field] = text
	}
	if len(s.Audiences) > 0 {
		row.Audience = s.Audiences[0]
	}
	return row
}

func (s ingestStep) generateEntry(i int) *v1.LogEntry {
	return &v1.LogEntry{
		Kind: v1.LogKind_LOG_KIND_DELIVERY, Status: v1.DeliveryStatus_DELIVERY_STATUS_SENT, Delivery: s.Generate.Prefix,
		BroadlogId: int64(i) + 1, IdentityNamespace: "external_id", Identity: fmt.Sprint(s.Generate.Prefix, i),
	}
}

// readable makes values of this client what the protocol wants in JSON: times in UTC, days as text.
func readable(values map[string]any) map[string]any {
	for name, value := range values {
		switch value := value.(type) {
		case time.Time:
			values[name] = value.UTC().Format(time.RFC3339Nano)
		case fmt.Stringer:
			values[name] = value.String()
		}
	}
	return values
}

// all gives what a sequence gives before its error.
func all[T any](sequence iter.Seq2[T, error], take func(T) error) error {
	for item, err := range sequence {
		if err == nil {
			err = take(item)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
