package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"passerelle.dev/go/passerelle"
	v1 "passerelle.dev/go/passerellev1"
)

// exportStep is what "export" says.
type exportStep struct {
	Source, Consumer, Cursor string
	Fields                   []string
	Filter                   json.RawMessage
	MaxBatchRows             int32 `json:"max_batch_rows"`
	Acknowledge, Follow      bool
	StopAfterBatches         int    `json:"stop_after_batches"`
	CancelAfterMS            *int64 `json:"cancel_after_ms"`
	RetryForMS               *int64 `json:"retry_for_ms"`
}

var errEnough = errors.New("enough batches")

func export(ctx context.Context, r *runner, request request) (any, error) {
	var step exportStep
	if err := request.read(&step); err != nil {
		return nil, err
	}
	client, err := r.client(request)
	if err != nil {
		return nil, err
	}
	what := passerelle.Export{
		Source: step.Source, Consumer: step.Consumer, Cursor: step.Cursor, Follow: step.Follow, Fields: step.Fields,
		MaxBatchRows: step.MaxBatchRows, RetryFor: retryFor(step.RetryForMS),
	}
	if len(step.Filter) > 0 && string(step.Filter) != "null" {
		what.Filter = &v1.LogFilter{}
		if err := protojson.Unmarshal(step.Filter, what.Filter); err != nil {
			return nil, invalid(err)
		}
	}
	exportCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	if step.CancelAfterMS != nil {
		timer := time.AfterFunc(time.Duration(*step.CancelAfterMS)*time.Millisecond, cancel)
		defer timer.Stop()
	}
	return step.run(ctx, exportCtx, client, what)
}

// run exports until exportCtx ends, which is well, or ctx does, which is not.
func (s exportStep) run(ctx, exportCtx context.Context, client *passerelle.Client, what passerelle.Export) (
	any, error) {
	rows, batches, cursor := []map[string]any{}, 0, s.Cursor
	err := all(client.ExportLogs(exportCtx, what), func(batch *passerelle.LogBatch) error {
		cursor = batch.Cursor
		if len(batch.Rows) == 0 {
			return nil
		}
		batches++
		for record := range batch.Records() {
			rows = append(rows, readable(record))
		}
		if s.Acknowledge {
			if err := batch.Acknowledge(exportCtx); err != nil {
				return err
			}
		}
		if batches == s.StopAfterBatches {
			return errEnough
		}
		return nil
	})
	cancelled := errors.Is(err, context.Canceled) && ctx.Err() == nil
	if err != nil && !cancelled && !errors.Is(err, errEnough) {
		return nil, err
	}
	return map[string]any{"rows": rows, "batches": batches, "cursor": cursor, "cancelled": cancelled}, nil
}

// membersStep is what "members" says.
type membersStep struct {
	Audience, Channel, Purpose        string
	Attributes, Identities, Mandatory []string
	Since                             string
	RetryForMS                        *int64 `json:"retry_for_ms"`
}

func members(ctx context.Context, r *runner, request request) (any, error) {
	var step membersStep
	if err := request.read(&step); err != nil {
		return nil, err
	}
	client, err := r.client(request)
	if err != nil {
		return nil, err
	}
	stream := client.StreamMembers(passerelle.Members{
		Audience: step.Audience, Channel: step.Channel, Purpose: step.Purpose, Attributes: step.Attributes,
		Identities: step.Identities, Mandatory: step.Mandatory, Since: step.Since, RetryFor: retryFor(step.RetryForMS),
	})
	found := []map[string]any{}
	err = all(stream.All(ctx), func(member passerelle.Member) error {
		found = append(found, map[string]any{
			"identities": member.Identities, "attributes": readable(member.Attributes), "change": member.Change,
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{"members": found, "end_token": stream.EndToken(), "excluded": stream.Excluded()}, nil
}
