package passerelle_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"passerelle.dev/go/passerelle"
	"passerelle.dev/go/passerelletest"
	v1 "passerelle.dev/go/passerellev1"
)

// patience is how long anything may take on a busy machine.
const patience = 60 * time.Second

func connect(t *testing.T) (context.Context, *passerelle.Client) {
	t.Helper()
	client, err := passerelle.Connect(passerelletest.Start(t).Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx, client
}

func people(count int) passerelle.Source[passerelle.Row] {
	rows := make([]passerelle.Row, count)
	for i := range rows {
		rows[i] = passerelle.Row{
			Identities: map[string]string{"external_id": fmt.Sprint(i)}, Fields: map[string]any{"age": i},
			RecordKey: fmt.Sprint("row ", i),
		}
	}
	return passerelle.FromSlice(rows)
}

func TestAnImportIsAccountedForAndItsPagesAreWhole(t *testing.T) {
	ctx, client := connect(t)
	if _, err := client.CreateAttribute(ctx, "age", v1.AttributeType_ATTRIBUTE_TYPE_INT64, nil); err != nil {
		t.Fatal(err)
	}
	again, err := client.CreateAttribute(ctx, "age", v1.AttributeType_ATTRIBUTE_TYPE_STRING, nil)
	if err != nil || again.GetType() != v1.AttributeType_ATTRIBUTE_TYPE_INT64 {
		t.Fatalf("one that is there stays: got %v, %v", again, err)
	}
	what := passerelle.Import{
		Identities: []string{"external_id"}, Fields: []string{"age"}, Stream: "people", Run: passerelle.Run{BatchRecords: 7},
	}
	for _, wanted := range []int64{40, 0} {
		result, err := client.ImportProfiles(ctx, what, people(40))
		if err != nil || result.Received != wanted || result.Counts["CREATED"] != wanted || result.TotalRecords != 40 {
			t.Fatalf("got %+v, %v; wanted %d", result, err, wanted)
		}
	}
	var found []string
	request := &v1.ListProfilesRequest{Parent: client.Instance, PageSize: 9}
	itemsOf := (*v1.ListProfilesResponse).GetProfiles
	for profile, err := range passerelle.Pages(ctx, client.Profiles.ListProfiles, request, itemsOf) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, profile.GetName())
	}
	slices.Sort(found)
	if len(slices.Compact(found)) != 40 || request.GetPageToken() != "" {
		t.Errorf("got %d profiles, request %v", len(found), request)
	}
}

func TestARefusedRowIsListedAndDoesNotStopTheOthers(t *testing.T) {
	ctx, client := connect(t)
	rows := []passerelle.Row{
		{Identities: map[string]string{"email": "ada@example.com"}},
		{Identities: map[string]string{"email": "no address"}, RecordKey: "k"},
		{Identities: map[string]string{"email": "\xff@example.com"}},
	}
	var listed []string
	what := passerelle.Import{Identities: []string{"email"}, Run: passerelle.Run{OnRow: func(row *v1.RowOutcome) {
		listed = append(listed, fmt.Sprint(row.GetOffset(), row.GetRecordKey(), row.GetReason()))
	}}}
	result, err := client.ImportProfiles(ctx, what, passerelle.FromSlice(rows))
	if err != nil || result.Counts["CREATED"] != 1 || result.Counts["REJECTED"] != 2 || len(result.Rows) != 0 {
		t.Fatalf("got %+v, %v", result, err)
	}
	if !slices.Equal(listed, []string{"1kROW_REASON_MALFORMED_EMAIL", "2ROW_REASON_NOT_UTF8"}) {
		t.Errorf("got %q", listed)
	}
	what.Fields = []string{"nowhere"}
	_, err = client.ImportProfiles(ctx, what, passerelle.FromSlice(rows))
	var failure *passerelle.Error
	if !errors.As(err, &failure) || failure.Reason != "UNKNOWN_ATTRIBUTE" || len(failure.FieldViolations) == 0 {
		t.Errorf("got %v", err)
	}
}

// syncing makes a destination whose field is of a text attribute, and gives what maps it to one of numbers.
func syncing(t *testing.T, ctx context.Context, client *passerelle.Client) (remap func() error) {
	t.Helper()
	mapped := func(attribute string) []*v1.FieldMapping {
		return []*v1.FieldMapping{{SourceField: "field", Target: &v1.FieldMapping_Attribute{Attribute: attribute}}}
	}
	_, err := client.CreateAttribute(ctx, "age", v1.AttributeType_ATTRIBUTE_TYPE_INT64, nil)
	if err == nil {
		_, err = client.CreateAttribute(ctx, "city", v1.AttributeType_ATTRIBUTE_TYPE_STRING, nil)
	}
	if err == nil {
		_, err = client.Destinations.CreateDestination(ctx, &v1.CreateDestinationRequest{
			Parent: client.Instance, DestinationId: "crm", Destination: &v1.Destination{
				SyncType: v1.Destination_SYNC_TYPE_PROFILE_SYNC, Mappings: mapped("city")}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() error {
		_, err := client.Destinations.UpdateDestination(ctx, &v1.UpdateDestinationRequest{
			Destination: &v1.Destination{Name: client.Name("destinations", "crm"), Mappings: mapped("age")},
			UpdateMask:  &fieldmaskpb.FieldMask{Paths: []string{"mappings"}}})
		return err
	}
}

func TestASyncWhoseFieldsAreMappedToAnotherTypeGoesOn(t *testing.T) {
	ctx, client := connect(t)
	remap := syncing(t, ctx, client)
	rows := func(yield func(passerelle.Row, error) bool) {
		for i := range 6 {
			var err error
			if i == 3 { // the rows before are sent
				err = remap()
			}
			who := map[string]string{"external_id": fmt.Sprint(i)}
			if !yield(passerelle.Row{Identities: who, Fields: map[string]any{"field": fmt.Sprint(i)}}, err) {
				return
			}
		}
	}
	result, err := client.SyncProfiles(ctx, passerelle.Sync{
		Destination: "crm", Identities: []string{"external_id"}, Fields: []string{"field"}, Stream: "changes",
		Run: passerelle.Run{BatchRecords: 1}}, passerelle.FromIterator(rows))
	if err != nil || result.Reconnects != 1 || result.TotalRecords != 6 || result.Totals["NOT_FOUND"] != 6 {
		t.Errorf("got %+v, %v", result, err)
	}
}

func TestAnExportGoesOnAfterWhatItsConsumerAcknowledged(t *testing.T) {
	ctx, client := connect(t)
	appendLogs(t, ctx, client, 5)
	fields := []*v1.SourceField{{Field: "identity", Rename: "who"}}
	_, err := client.Sources.CreateSource(ctx, &v1.CreateSourceRequest{
		Parent: client.Instance, SourceId: "crm", Source: &v1.Source{Schema: v1.LogKind_LOG_KIND_DELIVERY, Fields: fields}})
	if err != nil {
		t.Fatal(err)
	}
	what := passerelle.Export{Source: "crm", Consumer: "default", MaxBatchRows: 2}
	for _, wanted := range []string{"[0 1]", "[2 3]", "[4]", "[]"} {
		who := []any{}
		for batch, err := range client.ExportLogs(ctx, what) {
			if err != nil {
				t.Fatal(err)
			}
			if len(batch.Rows) == 0 {
				continue
			}
			for record := range batch.Records() {
				who = append(who, record["who"])
			}
			if err := batch.Acknowledge(ctx); err != nil {
				t.Fatal(err)
			}
			break
		}
		if fmt.Sprint(who) != wanted {
			t.Errorf("got %v, wanted %s", who, wanted)
		}
	}
}

func appendLogs(t *testing.T, ctx context.Context, client *passerelle.Client, count int) {
	t.Helper()
	_, err := client.Logs.CreateDelivery(ctx, &v1.CreateDeliveryRequest{
		Parent: client.Instance, DeliveryId: "spring", Delivery: &v1.Delivery{Channel: "email"}})
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]*v1.LogEntry, count)
	for i := range rows {
		rows[i] = &v1.LogEntry{
			Kind: v1.LogKind_LOG_KIND_DELIVERY, Delivery: "spring", BroadlogId: int64(i) + 1,
			Status: v1.DeliveryStatus_DELIVERY_STATUS_SENT, IdentityNamespace: "external_id", Identity: fmt.Sprint(i),
			ReasonMessage: strings.Repeat("x", 900),
		}
	}
	result, err := client.AppendLogs(ctx, passerelle.Append{Stream: "log"}, passerelle.FromSlice(rows))
	if err != nil || result.Counts["APPENDED"] != int64(count) {
		t.Fatalf("got %+v, %v", result, err)
	}
}

func TestAnExportThatFollowsEndsWithItsContext(t *testing.T) {
	ctx, client := connect(t)
	appendLogs(t, ctx, client, 1)
	following, cancel := context.WithCancel(ctx)
	defer cancel()
	var err error
	rows := 0
	for batch, failure := range client.ExportLogs(following, passerelle.Export{Follow: true}) {
		if err = failure; err == nil {
			rows += len(batch.Rows)
			cancel()
		}
	}
	if rows != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %d rows, %v", rows, err)
	}
	for batch, err := range client.ExportLogs(ctx, passerelle.Export{}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := batch.Acknowledge(ctx); !errors.Is(err, passerelle.ErrInvalidUse) {
			t.Errorf("an export by no consumer: got %v", err)
		}
	}
}

func TestALoopOfAClientThatIsClosedEnds(t *testing.T) {
	ctx, client := connect(t)
	appendLogs(t, ctx, client, 1)
	var failure *passerelle.Error
	for batch, err := range client.ExportLogs(ctx, passerelle.Export{Follow: true, RetryFor: 2 * patience}) {
		if errors.As(err, &failure) {
			break
		}
		if len(batch.Rows) > 0 {
			client.Close()
		}
	}
	if failure == nil || failure.Retryable() || ctx.Err() != nil {
		t.Errorf("got %v, context %v", failure, ctx.Err())
	}
}

func TestAServerThatEndsInTheMiddleOfAMessageIsOneToComeBackTo(t *testing.T) {
	server, err := passerelletest.New("--drain-seconds", "1")
	if err != nil {
		t.Fatal(err)
	}
	client, err := passerelle.Connect(server.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	appendLogs(t, ctx, client, 5_000)
	var failure *passerelle.Error
	batches := 0
	for _, err := range client.ExportLogs(ctx, passerelle.Export{RetryFor: -1}) {
		if batches++; batches == 1 { // the rest of the rows does not fit into what lies between server and client
			if err := server.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		errors.As(err, &failure)
	}
	if failure == nil || !failure.Retryable() {
		t.Errorf("got %v after %d batches", failure, batches)
	}
}
