package passerelle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	v1 "passerelle.dev/go/passerellev1"
)

// Members says which members StreamMembers gives, and what of them.
type Members struct {
	// Audience is its id; Channel and Purpose are what the output is for: who cannot be reached there is left out.
	Audience, Channel, Purpose string
	// Attributes by id; Identities are namespaces, empty: external_id.
	Attributes, Identities []string
	// Mandatory attributes: a member without one of them is left out.
	Mandatory []string
	// Since is the end token of an earlier stream: what changed since then; empty: all members.
	Since string
	// RetryFor is how long to reconnect while the server is away, or ends the stream too early, and no members come; 0: a
	// minute, less: not at all.
	RetryFor time.Duration
}

// Member of an audience.
type Member struct {
	Profile    int64
	Identities map[string]string
	// Attributes by id, without those that are null: string, int64, float64, bool, time.Time, Date or []string.
	Attributes        map[string]any
	QualificationTime time.Time
	// Change is MEMBER in a full stream, otherwise ENTERED, EXITED or UPDATED.
	Change string
}

// MemberStream gives members once; then Trailer has the counts, and EndToken is where an incremental begins. Not for
// several goroutines.
type MemberStream struct {
	client     *Client
	request    *v1.StreamMembersRequest
	namespaces []string
	retryFor   time.Duration
	kinds      []v1.AttributeType
	header     *v1.StreamMembersResponse_Header
	trailer    *v1.StreamMembersResponse_Trailer
}

// StreamMembers prepares a stream of the members that can be reached on a channel: all, or what changed since an end
// token. All makes the call.
func (c *Client) StreamMembers(what Members) *MemberStream {
	namespaces := what.Identities
	if len(namespaces) == 0 {
		namespaces = []string{"external_id"}
	}
	return &MemberStream{client: c, namespaces: namespaces, retryFor: what.RetryFor, request: &v1.StreamMembersRequest{
		Audience: c.Name("audiences", what.Audience), Reach: &v1.Reach{Channel: what.Channel, Purpose: what.Purpose},
		Attributes: what.Attributes, IdentityNamespaces: what.Identities, MandatoryAttributes: what.Mandatory,
		SinceToken: what.Since,
	}}
}

// Header tells of which moment the members are; nil before the first of them.
func (s *MemberStream) Header() *v1.StreamMembersResponse_Header { return s.header }

// Trailer tells how many members there were and were left out, by reason; nil until All has come to its end.
func (s *MemberStream) Trailer() *v1.StreamMembersResponse_Trailer { return s.trailer }

// Excluded counts the members that were left out, by reason without prefix, for example "OPTED_OUT"; empty until All has
// come to its end.
func (s *MemberStream) Excluded() map[string]int64 {
	excluded := map[string]int64{}
	for _, count := range s.trailer.GetExcluded() {
		excluded[enumName(count.GetReason().Descriptor(), count.GetReason().Number())] = count.GetMembers()
	}
	return excluded
}

// EndToken is where an incremental begins; empty until All has come to its end.
func (s *MemberStream) EndToken() string { return s.trailer.GetEndToken() }

// All gives the members. A stream that breaks off reconnects and goes on where it was. An error is the last thing
// given.
func (s *MemberStream) All(ctx context.Context) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		if err := s.all(ctx, func(member Member) bool { return yield(member, nil) }); err != nil {
			yield(Member{}, err)
		}
	}
}

func (s *MemberStream) all(ctx context.Context, yield func(Member) bool) (err error) {
	if s.kinds, err = s.client.attributeKinds(ctx, s.request.GetAttributes(), s.retryFor); err != nil {
		return err
	}
	patience := newPatience(s.retryFor)
	for {
		over, err := s.once(ctx, patience, yield)
		if over {
			return nil
		}
		if err := patience.wait(ctx, err, true); err != nil {
			return err
		}
	}
}

// once makes the call once. It is over when the trailer came or the caller wants no more.
func (s *MemberStream) once(ctx context.Context, patience *patience, yield func(Member) bool) (over bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.client.Activation.StreamMembers(ctx, s.request)
	if err != nil {
		return false, err
	}
	for {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			err = brokenOff("the server ended the members without a trailer")
		}
		if err != nil {
			// After the trailer there is nothing more to ask for, however the call ended.
			return s.trailer != nil, err
		}
		if over, err := s.give(message, yield); over || err != nil {
			return over, err
		}
		s.request.ResumeToken = message.GetResumeToken()
		if message.GetHeader() == nil { // each try begins with a header: by itself it gets nothing on
			patience.progressed()
		}
	}
}

func (s *MemberStream) give(message *v1.StreamMembersResponse, yield func(Member) bool) (over bool, err error) {
	switch {
	case message.GetHeader() != nil:
		s.header = message.GetHeader()
	case message.GetTrailer() != nil:
		s.trailer = message.GetTrailer()
	default:
		members, err := s.members(message.GetBatch())
		if err != nil {
			return false, err
		}
		for _, member := range members {
			if !yield(member) {
				return true, nil
			}
		}
	}
	return false, nil
}

// members decodes a batch.
func (s *MemberStream) members(batch *v1.StreamMembersResponse_Batch) ([]Member, error) {
	records := int(batch.GetRecords())
	if len(batch.GetProfiles()) != records || len(batch.GetQualificationTimesUs()) != records ||
		len(batch.GetIdentities()) != len(s.namespaces) || len(batch.GetColumns()) != len(s.kinds) {
		return nil, fmt.Errorf("the server sent a batch of %d members whose columns do not fit", records)
	}
	members := make([]Member, records)
	for i := range members {
		members[i] = Member{
			Profile: batch.GetProfiles()[i], Identities: map[string]string{}, Attributes: map[string]any{},
			QualificationTime: time.UnixMicro(batch.GetQualificationTimesUs()[i]).UTC(), Change: changeOf(batch, i),
		}
	}
	for n, column := range batch.GetIdentities() {
		err := eachValue(column, records, textKind, func(i int, value any) {
			members[i].Identities[s.namespaces[n]] = value.(string)
		})
		if err != nil {
			return nil, err
		}
	}
	for a, column := range batch.GetColumns() {
		err := eachValue(column, records, s.kinds[a], func(i int, value any) {
			members[i].Attributes[s.request.GetAttributes()[a]] = value
		})
		if err != nil {
			return nil, err
		}
	}
	return members, nil
}

func eachValue(column *v1.Column, records int, kind v1.AttributeType, take func(record int, value any)) error {
	values, err := decodeColumn(column, records, kind)
	for i, value := range values {
		if value != nil {
			take(i, value)
		}
	}
	return err
}

func changeOf(batch *v1.StreamMembersResponse_Batch, record int) string {
	if record >= len(batch.GetChanges()) {
		return "MEMBER"
	}
	change := batch.GetChanges()[record]
	return enumName(change.Descriptor(), change.Number())
}
