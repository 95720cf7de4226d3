package passerelle

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	v1 "passerelle.dev/go/passerellev1"
)

const impatient = time.Nanosecond // one failure without progress is enough

// scriptedCall is what the server of a stream says, and how it ends.
type scriptedCall[T any] struct {
	messages []*T
	end      error
}

// script is a stub: call after call is answered; one more than there are is an error that no loop repeats.
type script[T any] struct {
	answers []scriptedCall[T]
	calls   int
}

func (s *script[T]) begin() (grpc.ServerStreamingClient[T], error) {
	s.calls++
	if s.calls > len(s.answers) {
		return nil, failed(codes.Internal)
	}
	return &scriptedStream[T]{scriptedCall: s.answers[s.calls-1]}, nil
}

type scriptedStream[T any] struct {
	grpc.ClientStream
	scriptedCall[T]
}

func (s *scriptedStream[T]) Recv() (*T, error) {
	if len(s.messages) == 0 {
		return nil, s.end
	}
	message := s.messages[0]
	s.messages = s.messages[1:]
	return message, nil
}

type scriptedMembers struct {
	v1.ActivationServiceClient
	script[v1.StreamMembersResponse]
}

func (s *scriptedMembers) StreamMembers(context.Context, *v1.StreamMembersRequest, ...grpc.CallOption) (
	grpc.ServerStreamingClient[v1.StreamMembersResponse], error) {
	return s.begin()
}

type scriptedLogs struct {
	v1.LogServiceClient
	script[v1.ExportLogsResponse]
}

func (s *scriptedLogs) ExportLogs(context.Context, *v1.ExportLogsRequest, ...grpc.CallOption) (
	grpc.ServerStreamingClient[v1.ExportLogsResponse], error) {
	return s.begin()
}

func membersHeader() *v1.StreamMembersResponse {
	return &v1.StreamMembersResponse{
		Message: &v1.StreamMembersResponse_Header_{Header: &v1.StreamMembersResponse_Header{}}, ResumeToken: "header",
	}
}

func oneMember() *v1.StreamMembersResponse {
	batch := &v1.StreamMembersResponse_Batch{
		Records: 1, Profiles: []int64{1}, QualificationTimesUs: []int64{1},
		Identities: []*v1.Column{{Texts: [][]byte{[]byte("a")}}},
	}
	return &v1.StreamMembersResponse{Message: &v1.StreamMembersResponse_Batch_{Batch: batch}, ResumeToken: "batch"}
}

func membersTrailer() *v1.StreamMembersResponse {
	trailer := &v1.StreamMembersResponse_Trailer{EndToken: "end"}
	return &v1.StreamMembersResponse{
		Message: &v1.StreamMembersResponse_Trailer_{Trailer: trailer}, ResumeToken: "trailer",
	}
}

func logHeader(end int64) *v1.ExportLogsResponse {
	return &v1.ExportLogsResponse{Header: &v1.ExportLogsResponse_Header{EndSequence: end}}
}

func logRow(sequence int64) *v1.ExportLogsResponse {
	return &v1.ExportLogsResponse{Rows: []*v1.LogEntry{{Sequence: sequence}}, Cursor: "c", Sequence: sequence}
}

func isUnavailable(err error) bool {
	var failure *Error
	return errors.As(err, &failure) && failure.Code == codes.Unavailable && failure.Retryable()
}

// readMembers reads what calls give: how many members, how many calls that took, and the error.
func readMembers(calls ...scriptedCall[v1.StreamMembersResponse]) (members, made int, endToken string, err error) {
	stub := &scriptedMembers{script: script[v1.StreamMembersResponse]{answers: calls}}
	stream := (&Client{Activation: stub}).StreamMembers(Members{Audience: "vip", Channel: "email", RetryFor: impatient})
	for _, failure := range stream.All(context.Background()) {
		if failure != nil {
			return members, stub.calls, stream.EndToken(), failure
		}
		members++
	}
	return members, stub.calls, stream.EndToken(), nil
}

func TestMembersThatEndAfterTheirHeaderGetNothingOn(t *testing.T) {
	for _, end := range []error{io.EOF, failed(codes.Unavailable)} {
		short := scriptedCall[v1.StreamMembersResponse]{[]*v1.StreamMembersResponse{membersHeader()}, end}
		if members, calls, _, err := readMembers(short, short, short); members != 0 || calls != 2 || !isUnavailable(err) {
			t.Errorf("got %d members of %d calls, %v", members, calls, err)
		}
	}
}

func TestMembersGoOnAsLongAsSomeCome(t *testing.T) {
	some := scriptedCall[v1.StreamMembersResponse]{[]*v1.StreamMembersResponse{membersHeader(), oneMember()}, io.EOF}
	last := scriptedCall[v1.StreamMembersResponse]{[]*v1.StreamMembersResponse{membersHeader(), membersTrailer()}, io.EOF}
	if members, calls, end, err := readMembers(some, some, some, last); members != 3 || calls != 4 || end != "end" || err != nil {
		t.Errorf("got %d members of %d calls, %q, %v", members, calls, end, err)
	}
}

func TestMembersAreWholeOnceTheirTrailerCame(t *testing.T) {
	whole := scriptedCall[v1.StreamMembersResponse]{
		[]*v1.StreamMembersResponse{membersHeader(), membersTrailer()}, failed(codes.Unavailable)}
	if _, calls, end, err := readMembers(whole); calls != 1 || end != "end" || err != nil {
		t.Errorf("got %q of %d calls, %v", end, calls, err)
	}
}

// readLogs reads what calls give: how many rows, how many calls that took, and the error.
func readLogs(follow bool, calls ...[]*v1.ExportLogsResponse) (rows, made int, err error) {
	stub := &scriptedLogs{}
	for _, messages := range calls {
		stub.answers = append(stub.answers, scriptedCall[v1.ExportLogsResponse]{messages, io.EOF})
	}
	client := &Client{Logs: stub}
	for batch, failure := range client.ExportLogs(context.Background(), Export{Follow: follow, RetryFor: impatient}) {
		if failure != nil {
			return rows, stub.calls, failure
		}
		rows += len(batch.Rows)
	}
	return rows, stub.calls, nil
}

func TestAnExportThatEndsBeforeItsEndGoesOn(t *testing.T) {
	first := []*v1.ExportLogsResponse{logHeader(2), logRow(1)}
	second := []*v1.ExportLogsResponse{logHeader(2), logRow(2)}
	if rows, calls, err := readLogs(false, nil, first, second); rows != 2 || calls != 3 || err != nil {
		t.Errorf("got %d rows of %d calls, %v", rows, calls, err)
	}
	if rows, calls, err := readLogs(false, nil, nil, nil); rows != 0 || calls != 2 || !isUnavailable(err) {
		t.Errorf("of nothing: got %d rows of %d calls, %v", rows, calls, err)
	}
}

func TestAnExportThatFollowsHasNoEnd(t *testing.T) {
	nothing := []*v1.ExportLogsResponse{logHeader(1)}
	rows, calls, err := readLogs(true, []*v1.ExportLogsResponse{logHeader(1), logRow(1)}, nothing, nothing)
	if rows != 1 || calls != 2 || !isUnavailable(err) {
		t.Errorf("got %d rows of %d calls, %v", rows, calls, err)
	}
}

type scriptedImport struct {
	grpc.BidiStreamingClient[v1.ImportProfilesRequest, v1.ImportProfilesResponse]
}

func (scriptedImport) Recv() (*v1.ImportProfilesResponse, error) { return nil, io.EOF }

func TestAnIngestWhoseServerEndsItTooEarlyIsBrokenOff(t *testing.T) {
	begin := opener(func(context.Context, ...grpc.CallOption) (
		grpc.BidiStreamingClient[v1.ImportProfilesRequest, v1.ImportProfilesResponse], error) {
		return scriptedImport{}, nil
	})
	call, err := begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer call.cancel()
	if _, err := call.receive(); !isUnavailable(err) {
		t.Errorf("got %v", err)
	}
}

func TestAnIngestIsDoneOnlyWhenTheServerSaysSo(t *testing.T) {
	for _, answers := range [][]*v1.ImportProfilesResponse{
		{acked(1, 1)}, {opened(0, 2), finished(1)}, {opened(0, 2), acked(1, 1), acked(1, 0)},
	} {
		loop := scriptedIngest("people", []scriptedOpening{{answers: answers, end: io.EOF}}, func(any) {})
		result, err := loop.all(context.Background(), FromSlice([]int{0}))
		var failure *Error
		if !errors.As(err, &failure) || failure.Code != codes.Internal {
			t.Errorf("got %+v, %v", result, err)
		}
	}
}

func TestAnIngestGoesOnWhenItsMappingChanged(t *testing.T) {
	changed := failed(codes.Aborted, &errdetails.ErrorInfo{Reason: "MAPPING_CHANGED"})
	openings := []scriptedOpening{
		{answers: []*v1.ImportProfilesResponse{opened(0, 2), acked(2, 2)}, end: changed},
		{answers: []*v1.ImportProfilesResponse{opened(2, 2), acked(3, 1), finished(3)}},
	}
	named := scriptedIngest("people", openings, func(any) {})
	remapped := 0
	named.remap = func(context.Context) error { remapped++; return nil }
	result, err := named.all(context.Background(), FromSlice([]int{0, 1, 2}))
	if err != nil || result.Reconnects != 1 || result.Received != 3 || result.TotalRecords != 3 || remapped != 1 {
		t.Errorf("got %+v, %v; its types were read anew %d times", result, err, remapped)
	}
	unnamed := scriptedIngest("", openings, func(any) {})
	result, err = unnamed.all(context.Background(), FromSlice([]int{0, 1, 2}))
	if !errors.Is(err, changed) || result.Reconnects != 0 || result.Received != 2 {
		t.Errorf("without a name: got %+v, %v", result, err)
	}
}
