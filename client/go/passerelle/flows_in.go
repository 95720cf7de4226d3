package passerelle

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	v1 "passerelle.dev/go/passerellev1"
)

// Import says what ImportProfiles sends.
type Import struct {
	// Identities are ids of namespaces, Fields of attributes: what rows may have.
	Identities, Fields []string
	// Stream is the name that makes it durable; empty: it is sent once, whatever comes.
	Stream string
	Run
}

// ImportProfiles creates or updates profiles, and returns when all rows are durable and accounted for.
//
// A named stream reconnects by itself while the server is away or busy, and when its destination was changed in
// mid-stream. A run that was broken off goes on where it was, a run that was finished does nothing. The result tells how far it got, with an error too.
func (c *Client) ImportProfiles(ctx context.Context, what Import, rows Source[Row]) (*IngestResult, error) {
	kinds, err := c.attributeKinds(ctx, what.Fields, what.RetryFor)
	if err != nil {
		return &IngestResult{}, err
	}
	columns := rowColumns{what.Identities, what.Fields, kinds}
	open := &v1.ImportProfilesRequest_Open{
		Parent: c.Instance, Stream: &v1.StreamOptions{Stream: what.Stream},
		IdentityNamespaces: what.Identities, Fields: what.Fields,
	}
	loop := ingest[Row]{
		stream: what.Stream, run: what.Run, size: sizeOfRow, begin: opener(c.Profiles.ImportProfiles),
		open: &v1.ImportProfilesRequest{Message: &v1.ImportProfilesRequest_Open_{Open: open}},
		finish: func(finish *v1.IngestFinish) any {
			return &v1.ImportProfilesRequest{Message: &v1.ImportProfilesRequest_Finish{Finish: finish}}
		},
		batch: func(offset int64, rows []Row) (any, error) {
			encoded, err := columns.encode(offset, rows)
			batch := &v1.ImportProfilesRequest_Batch{
				Offset: offset, Records: int32(len(rows)), Identities: encoded.identities, Columns: encoded.fields,
				EventTimes: encoded.eventTimes, RecordKeys: encoded.recordKeys,
			}
			return &v1.ImportProfilesRequest{Message: &v1.ImportProfilesRequest_Batch_{Batch: batch}}, err
		},
	}
	return loop.all(ctx, rows)
}

// Sync says what SyncProfiles sends.
type Sync struct {
	// Destination is the id of a PROFILE_SYNC destination, Fields are source fields of its mappings.
	Destination        string
	Identities, Fields []string
	// Stream is the name that makes it durable; empty: it is sent once, whatever comes.
	Stream string
	Run
}

// SyncProfiles updates profiles that exist; it creates none. It returns as ImportProfiles does.
func (c *Client) SyncProfiles(ctx context.Context, what Sync, rows Source[Row]) (*IngestResult, error) {
	kinds, err := c.mappedKinds(ctx, what.Destination, what.Fields, what.RetryFor)
	if err != nil {
		return &IngestResult{}, err
	}
	columns := rowColumns{what.Identities, what.Fields, kinds}
	open := &v1.SyncProfilesRequest_Open{
		Destination: c.Name("destinations", what.Destination), Stream: &v1.StreamOptions{Stream: what.Stream},
		IdentityNamespaces: what.Identities, Fields: what.Fields,
	}
	loop := ingest[Row]{
		stream: what.Stream, run: what.Run, size: sizeOfRow, begin: opener(c.ProfileSync.SyncProfiles),
		remap: func(ctx context.Context) (err error) {
			columns.kinds, err = c.mappedKinds(ctx, what.Destination, what.Fields, what.RetryFor)
			return err
		},
		open: &v1.SyncProfilesRequest{Message: &v1.SyncProfilesRequest_Open_{Open: open}},
		finish: func(finish *v1.IngestFinish) any {
			return &v1.SyncProfilesRequest{Message: &v1.SyncProfilesRequest_Finish{Finish: finish}}
		},
		batch: func(offset int64, rows []Row) (any, error) {
			encoded, err := columns.encode(offset, rows)
			batch := &v1.SyncProfilesRequest_Batch{
				Offset: offset, Records: int32(len(rows)), Identities: encoded.identities, Columns: encoded.fields,
				EventTimes: encoded.eventTimes, RecordKeys: encoded.recordKeys,
			}
			return &v1.SyncProfilesRequest{Message: &v1.SyncProfilesRequest_Batch_{Batch: batch}}, err
		},
	}
	return loop.all(ctx, rows)
}

// Push says what PushMembers sends.
type Push struct {
	// Destination is the id of an AUDIENCE_SYNC destination, Audiences are source_ids of it, Fields are source fields of
	// its mappings.
	Destination                   string
	Identities, Audiences, Fields []string
	// Stream is the name that makes it durable; empty: it is sent once, whatever comes. A replace needs one.
	Stream string
	// Replace: the rows are the whole of the one audience, published at the end.
	Replace bool
	// AsOf, of a replace, is the moment the rows are true for; zero: when the stream is made.
	AsOf time.Time
	// MaxRefusedPercent, of a replace, is the share of refused and unknown rows above which nothing is published; nil: as
	// the stream has it, which is 1 when it is made.
	MaxRefusedPercent *float64
	Run
}

// PushMembers pushes memberships; with Replace, the rows are the whole of an audience. It returns as ImportProfiles
// does.
func (c *Client) PushMembers(ctx context.Context, what Push, rows Source[Row]) (*IngestResult, error) {
	kinds, err := c.mappedKinds(ctx, what.Destination, what.Fields, what.RetryFor)
	if err != nil {
		return &IngestResult{}, err
	}
	columns := rowColumns{what.Identities, what.Fields, kinds}
	open := &v1.PushMembersRequest_Open{
		Destination: c.Name("destinations", what.Destination), Stream: &v1.StreamOptions{Stream: what.Stream},
		IdentityNamespaces: what.Identities, Fields: what.Fields, Audiences: what.Audiences, Replace: what.replace(),
	}
	loop := ingest[Row]{
		stream: what.Stream, run: what.Run, size: sizeOfRow, begin: opener(c.AudienceSync.PushMembers),
		remap: func(ctx context.Context) (err error) {
			columns.kinds, err = c.mappedKinds(ctx, what.Destination, what.Fields, what.RetryFor)
			return err
		},
		open: &v1.PushMembersRequest{Message: &v1.PushMembersRequest_Open_{Open: open}},
		finish: func(finish *v1.IngestFinish) any {
			return &v1.PushMembersRequest{Message: &v1.PushMembersRequest_Finish{Finish: finish}}
		},
		batch: func(offset int64, rows []Row) (any, error) {
			batch, err := columns.encodePush(offset, rows, what.Audiences)
			return &v1.PushMembersRequest{Message: &v1.PushMembersRequest_Batch_{Batch: batch}}, err
		},
	}
	return loop.all(ctx, rows)
}

func (p Push) replace() *v1.PushMembersRequest_Replace {
	if !p.Replace {
		return nil
	}
	replace := &v1.PushMembersRequest_Replace{MaxRefusedPercent: p.MaxRefusedPercent}
	if !p.AsOf.IsZero() {
		replace.AsOf = timestamppb.New(p.AsOf)
	}
	return replace
}

// Append says how AppendLogs sends.
type Append struct {
	// Stream is the name that makes it durable; empty: it is sent once, whatever comes.
	Stream string
	Run
}

// AppendLogs appends log rows; texts in them may be any bytes, the server refuses the row whose text is not UTF-8 and
// no other. It returns as ImportProfiles does.
func (c *Client) AppendLogs(ctx context.Context, what Append, rows Source[*v1.LogEntry]) (*IngestResult, error) {
	open := &v1.AppendLogsRequest_Open{Parent: c.Instance, Stream: &v1.StreamOptions{Stream: what.Stream}}
	loop := ingest[*v1.LogEntry]{
		stream: what.Stream, run: what.Run, begin: opener(c.Logs.AppendLogs),
		size: func(entry *v1.LogEntry) int { return proto.Size(entry) },
		open: &v1.AppendLogsRequest{Message: &v1.AppendLogsRequest_Open_{Open: open}},
		finish: func(finish *v1.IngestFinish) any {
			return &v1.AppendLogsRequest{Message: &v1.AppendLogsRequest_Finish{Finish: finish}}
		},
		batch: func(offset int64, rows []*v1.LogEntry) (any, error) {
			batch := &v1.AppendLogsRequest_Batch{Offset: offset, Rows: mapped(rows, rawEntry)}
			return &v1.AppendLogsRequest{Message: &v1.AppendLogsRequest_Batch_{Batch: batch}}, nil
		},
	}
	return loop.all(ctx, rows)
}

// attributeKinds gives the types of attributes. One that the server does not know is sent as text: its answer names it.
func (c *Client) attributeKinds(ctx context.Context, ids []string, retryFor time.Duration) ([]v1.AttributeType, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	types, err := patiently(ctx, retryFor, func() (map[string]v1.AttributeType, error) { return c.AttributeTypes(ctx) })
	if err != nil {
		return nil, err
	}
	return mapped(ids, func(id string) v1.AttributeType { return kindOf(types, id) }), nil
}

// mappedKinds gives the types of the attributes that a destination maps fields to.
func (c *Client) mappedKinds(ctx context.Context, destination string, fields []string, retryFor time.Duration) (
	[]v1.AttributeType, error) {
	if len(fields) == 0 {
		return nil, nil
	}
	types, err := patiently(ctx, retryFor, func() (map[string]v1.AttributeType, error) { return c.AttributeTypes(ctx) })
	if err != nil {
		return nil, err
	}
	get := &v1.GetDestinationRequest{Name: c.Name("destinations", destination)}
	found, err := patiently(ctx, retryFor, func() (*v1.Destination, error) {
		return c.Destinations.GetDestination(ctx, get)
	})
	if err != nil {
		return nil, err
	}
	attributes := map[string]string{}
	for _, mapping := range found.GetMappings() {
		attributes[mapping.GetSourceField()] = mapping.GetAttribute()
	}
	return mapped(fields, func(field string) v1.AttributeType { return kindOf(types, attributes[field]) }), nil
}

func kindOf(types map[string]v1.AttributeType, id string) v1.AttributeType {
	if kind, known := types[id]; known {
		return kind
	}
	return v1.AttributeType_ATTRIBUTE_TYPE_STRING
}
