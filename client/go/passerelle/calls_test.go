package passerelle

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"

	v1 "passerelle.dev/go/passerellev1"
)

// overloaded is what a busy server answers.
func overloaded(delay time.Duration) error {
	return failed(codes.ResourceExhausted, &errdetails.ErrorInfo{Reason: "OVERLOADED"},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(delay)}).status.Err()
}

// invoke makes a unary call whose tries end with answers, one after the other; it returns how often it was tried.
func invoke(ctx context.Context, answers ...error) (tries int, err error) {
	err = callUnary(ctx, "/x/Y", nil, nil, nil,
		func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
			tries++
			deadline, ok := ctx.Deadline()
			if !ok || time.Until(deadline) > callTimeout {
				return errors.New("the call has no deadline")
			}
			return answers[tries-1]
		})
	return tries, err
}

func TestACallIsMadeAgainWhenTheServerWasTooBusyToBeginIt(t *testing.T) {
	if tries, err := invoke(context.Background(), overloaded(time.Millisecond), nil); tries != 2 || err != nil {
		t.Errorf("got %d tries, %v", tries, err)
	}
	tries, err := invoke(context.Background(), overloaded(time.Hour), nil)
	var failure *Error
	if tries != 1 || !errors.As(err, &failure) || failure.Reason != "OVERLOADED" {
		t.Errorf("the server asks for more time than there is: got %d tries, %v", tries, err)
	}
	if tries, err := invoke(context.Background(), failed(codes.Unavailable).status.Err()); tries != 1 || err == nil {
		t.Errorf("what gRPC repeats or does not is its business: got %d tries, %v", tries, err)
	}
}

func TestTheServiceConfigNamesUnaryMethodsThatExist(t *testing.T) {
	var config struct {
		MethodConfig []struct {
			Name []struct{ Service, Method string }
		}
	}
	if err := json.Unmarshal([]byte(serviceConfig), &config); err != nil {
		t.Fatal(err)
	}
	names := 0
	for _, policy := range config.MethodConfig {
		for _, name := range policy.Name {
			names++
			found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name.Service + "." + name.Method))
			if err != nil {
				t.Errorf("%v: %v", name, err)
				continue
			}
			method := found.(protoreflect.MethodDescriptor)
			if method.IsStreamingClient() || method.IsStreamingServer() {
				t.Errorf("%v is a stream", name)
			}
		}
	}
	if names == 0 {
		t.Error("the service config names no method")
	}
}

// scriptedOpening is one opening of a stream: what its server answers, and how it ends.
type scriptedOpening struct {
	answers []*v1.ImportProfilesResponse
	end     error
}

func opened(next int64, limit int32) *v1.ImportProfilesResponse {
	return &v1.ImportProfilesResponse{Message: &v1.ImportProfilesResponse_Opened{
		Opened: &v1.StreamOpened{NextOffset: next, MaxBatchRecords: limit}}}
}

func acked(next, received int64) *v1.ImportProfilesResponse {
	counts := []*v1.OutcomeCount{{Outcome: v1.Outcome_OUTCOME_CREATED, Rows: received}}
	return &v1.ImportProfilesResponse{Message: &v1.ImportProfilesResponse_Ack{
		Ack: &v1.IngestAck{NextOffset: next, Received: received, Counts: counts}}}
}

func finished(total int64) *v1.ImportProfilesResponse {
	return &v1.ImportProfilesResponse{Message: &v1.ImportProfilesResponse_Finished{
		Finished: &v1.IngestFinished{TotalRecords: total, CommitToken: "token"}}}
}

// scriptedIngest sends rows, each the number of its offset, through openings; sent is told every message.
func scriptedIngest(stream string, openings []scriptedOpening, sent func(any)) ingest[int] {
	opening := -1
	return ingest[int]{
		stream: stream, open: "open", size: one,
		batch:  func(offset int64, rows []int) (any, error) { return append([]int{int(offset)}, rows...), nil },
		finish: func(finish *v1.IngestFinish) any { return finish.GetTotalRecords() },
		begin: func(context.Context) (*ingestCall, error) {
			opening++
			at := 0
			return &ingestCall{
				send:   func(message any) error { sent(message); return nil },
				cancel: func() {},
				receive: func() (answer, error) {
					if at++; at > len(openings[opening].answers) {
						return nil, openings[opening].end
					}
					return openings[opening].answers[at-1], nil
				},
			}, nil
		},
	}
}

func TestAnIngestGoesOnWhereItWasBrokenOff(t *testing.T) {
	away := failed(codes.Unavailable)
	var sent []any
	loop := scriptedIngest("people", []scriptedOpening{
		{answers: []*v1.ImportProfilesResponse{opened(0, 2), acked(2, 2)}, end: away},
		{end: away},
		{answers: []*v1.ImportProfilesResponse{opened(3, 9), acked(5, 2), finished(5)}, end: away},
	}, func(message any) { sent = append(sent, message) })
	result, err := loop.all(context.Background(), FromSlice([]int{0, 1, 2, 3, 4}))
	if err != nil {
		t.Fatal(err)
	}
	if result.Received != 4 || result.Reconnects != 2 || result.TotalRecords != 5 || result.Counts["CREATED"] != 4 ||
		result.CommitToken != "token" {
		t.Errorf("got %+v", result)
	}
	got, _ := json.Marshal(sent)
	wanted := `["open",[0,0,1],[2,2,3],[4,4],"open","open",[3,3,4],5]`
	if string(got) != wanted {
		t.Errorf("sent %s, wanted %s", got, wanted)
	}
}

func TestAnIngestIsPatientWhileItsStreamGetsOnThoughNoAcknowledgementComes(t *testing.T) {
	away := failed(codes.Unavailable)
	var openings []scriptedOpening
	for next := range int64(4) {
		openings = append(openings, scriptedOpening{answers: []*v1.ImportProfilesResponse{opened(next, 1)}, end: away})
	}
	openings = append(openings, openings[3], openings[3])
	loop := scriptedIngest("people", openings, func(any) {})
	loop.run.RetryFor = time.Nanosecond // one failure without progress is enough
	result, err := loop.all(context.Background(), FromSlice([]int{0, 1, 2, 3, 4}))
	if !errors.Is(err, away) || result.Reconnects != 4 {
		t.Errorf("got %+v, %v", result, err)
	}
}

func TestAnErrorOfTheRowsEndsAnIngestThoughItLooksLikeOneOfTheServer(t *testing.T) {
	away := failed(codes.Unavailable) // as of an export of another server that the rows are read from
	var sent []any
	loop := scriptedIngest("people", []scriptedOpening{
		{answers: []*v1.ImportProfilesResponse{opened(0, 2), acked(2, 2)}, end: errors.New("nothing is left to be answered")},
		{answers: []*v1.ImportProfilesResponse{opened(2, 2), finished(2)}},
	}, func(message any) { sent = append(sent, message) })
	rows := func(yield func(int, error) bool) {
		_ = yield(0, nil) && yield(1, nil) && yield(0, away)
	}
	result, err := loop.all(context.Background(), FromIterator(rows))
	if !errors.Is(err, away) || result.Reconnects != 0 || len(sent) != 2 {
		t.Errorf("got %+v, %v after %v; what came before is not the whole", result, err, sent)
	}
}

func TestAnIngestWithoutANameIsNotSentTwice(t *testing.T) {
	away := failed(codes.Unavailable)
	loop := scriptedIngest("", []scriptedOpening{
		{answers: []*v1.ImportProfilesResponse{opened(0, 2), acked(2, 2)}, end: away},
	}, func(any) {})
	result, err := loop.all(context.Background(), FromSlice([]int{0, 1, 2}))
	if !errors.Is(err, away) || result.Received != 2 || result.Reconnects != 0 {
		t.Errorf("got %+v, %v", result, err)
	}
}
