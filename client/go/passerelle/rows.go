package passerelle

import (
	"slices"
	"time"

	v1 "passerelle.dev/go/passerellev1"
)

const (
	textKind   = v1.AttributeType_ATTRIBUTE_TYPE_STRING
	momentKind = v1.AttributeType_ATTRIBUTE_TYPE_TIMESTAMP
	valueBytes = 10 // what a value takes that is no text, generously
)

// rowColumns makes columns of rows: what was opened, in its order.
type rowColumns struct {
	namespaces []string
	fields     []string
	kinds      []v1.AttributeType // of the fields
}

// encodedRows are the columns that all batches have.
type encodedRows struct {
	identities, fields     []*v1.Column
	eventTimes, recordKeys *v1.Column
}

func (c rowColumns) encode(offset int64, rows []Row) (encoded encodedRows, err error) {
	if err := c.check(offset, rows); err != nil {
		return encoded, err
	}
	for _, namespace := range c.namespaces {
		values := mapped(rows, func(row Row) any { return lookUp(row.Identities, namespace) })
		column, err := encodeColumn(values, textKind, "identity "+namespace, offset)
		if err != nil {
			return encoded, err
		}
		encoded.identities = append(encoded.identities, column)
	}
	for i, field := range c.fields {
		values := mapped(rows, func(row Row) any { return lookUp(row.Fields, field) })
		column, err := encodeColumn(values, c.kinds[i], field, offset)
		if err != nil {
			return encoded, err
		}
		encoded.fields = append(encoded.fields, column)
	}
	encoded.eventTimes, err = moments(rows, "event_time", offset, func(row Row) time.Time { return row.EventTime })
	if err != nil {
		return encoded, err
	}
	keys := mapped(rows, func(row Row) any { return presentIf(row.RecordKey != "", row.RecordKey) })
	encoded.recordKeys, err = optional(keys, textKind, "record_key", offset)
	return encoded, err
}

// check finds what a row has and the stream was not opened with.
func (c rowColumns) check(offset int64, rows []Row) error {
	for i, row := range rows {
		for namespace := range row.Identities {
			if !slices.Contains(c.namespaces, namespace) {
				return misuse("record %d: identity %q was not opened", offset+int64(i), namespace)
			}
		}
		for field := range row.Fields {
			if !slices.Contains(c.fields, field) {
				return misuse("record %d: field %q was not opened", offset+int64(i), field)
			}
		}
	}
	return nil
}

func (c rowColumns) encodePush(offset int64, rows []Row, audiences []string) (*v1.PushMembersRequest_Batch, error) {
	encoded, err := c.encode(offset, rows)
	if err != nil {
		return nil, err
	}
	batch := &v1.PushMembersRequest_Batch{
		Offset: offset, Records: int32(len(rows)), Identities: encoded.identities, Columns: encoded.fields,
		EventTimes: encoded.eventTimes, RecordKeys: encoded.recordKeys,
	}
	for i, row := range rows {
		index := max(slices.Index(audiences, row.Audience), 0)
		if row.Audience != "" && (len(audiences) == 0 || audiences[index] != row.Audience) {
			return nil, misuse("record %d: audience %q was not opened", offset+int64(i), row.Audience)
		}
		if len(audiences) > 1 {
			batch.AudienceIndexes = append(batch.AudienceIndexes, uint32(index))
		}
	}
	if slices.ContainsFunc(rows, func(row Row) bool { return row.Exited }) {
		batch.Statuses = mapped(rows, statusOf)
	}
	batch.QualificationTimes, err = moments(rows, "qualification_time", offset,
		func(row Row) time.Time { return row.QualificationTime })
	return batch, err
}

func statusOf(row Row) v1.MembershipStatus {
	if row.Exited {
		return v1.MembershipStatus_MEMBERSHIP_STATUS_EXITED
	}
	return v1.MembershipStatus_MEMBERSHIP_STATUS_REALIZED
}

func lookUp[T any](values map[string]T, name string) any {
	value, there := values[name]
	return presentIf(there, value)
}

func presentIf(there bool, value any) any {
	if !there {
		return absent
	}
	return value
}

func moments(rows []Row, what string, offset int64, of func(Row) time.Time) (*v1.Column, error) {
	values := mapped(rows, func(row Row) any { return presentIf(!of(row).IsZero(), of(row)) })
	return optional(values, momentKind, what, offset)
}

// optional is a column, or nil if no record has a value.
func optional(values []any, kind v1.AttributeType, what string, offset int64) (*v1.Column, error) {
	if !slices.ContainsFunc(values, func(value any) bool { return value != absent }) {
		return nil, nil
	}
	return encodeColumn(values, kind, what, offset)
}

// sizeOfRow is about what a row takes on the wire.
func sizeOfRow(row Row) int {
	size := valueBytes*(len(row.Identities)+len(row.Fields)+2) + len(row.RecordKey)
	for _, identity := range row.Identities {
		size += len(identity)
	}
	for _, value := range row.Fields {
		size += sizeOfValue(value)
	}
	return size
}

func sizeOfValue(value any) (size int) {
	switch value := value.(type) {
	case string:
		return len(value)
	case []byte:
		return len(value)
	case []string:
		for _, text := range value {
			size += len(text) + valueBytes
		}
	}
	return size
}

// rawEntry is a log row with its texts as bytes; what only the server sets is left out.
func rawEntry(entry *v1.LogEntry) *v1.RawLogEntry {
	return &v1.RawLogEntry{
		Kind:              entry.GetKind(),
		Delivery:          []byte(entry.GetDelivery()),
		BroadlogId:        entry.GetBroadlogId(),
		TrackingLogId:     entry.GetTrackingLogId(),
		EventTimeUs:       entry.GetEventTimeUs(),
		IdentityNamespace: []byte(entry.GetIdentityNamespace()),
		Identity:          []byte(entry.GetIdentity()),
		Status:            entry.GetStatus(),
		FailureType:       entry.GetFailureType(),
		FailureReason:     entry.GetFailureReason(),
		ReasonMessage:     []byte(entry.GetReasonMessage()),
		Quarantine:        entry.GetQuarantine(),
		ControlGroup:      entry.GetControlGroup(),
		Seed:              entry.GetSeed(),
		Proof:             entry.GetProof(),
		TrackingKind:      entry.GetTrackingKind(),
		Url:               []byte(entry.GetUrl()),
		UrlCategory:       []byte(entry.GetUrlCategory()),
	}
}
