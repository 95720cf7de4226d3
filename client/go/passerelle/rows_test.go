package passerelle

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	v1 "passerelle.dev/go/passerellev1"
)

func TestARowWithWhatWasNotOpenedIsMisuse(t *testing.T) {
	columns := rowColumns{[]string{"external_id"}, []string{"city"}, []v1.AttributeType{textKind}}
	for _, row := range []Row{
		{Identities: map[string]string{"email": "a@b.c"}},
		{Fields: map[string]any{"citty": "Paris"}},
		{Audience: "other"},
	} {
		_, err := columns.encodePush(7, []Row{{}, row}, []string{"VIP"})
		if !errors.Is(err, ErrInvalidUse) || err.Error()[:8] != "record 8" {
			t.Errorf("%v: got %v", row, err)
		}
	}
}

func TestColumnsThatNoRowNeedsAreNotSent(t *testing.T) {
	columns := rowColumns{[]string{"external_id"}, nil, nil}
	plain, err := columns.encodePush(0, []Row{{Identities: map[string]string{"external_id": "a"}}}, []string{"VIP"})
	if err != nil {
		t.Fatal(err)
	}
	wanted := &v1.PushMembersRequest_Batch{Records: 1, Identities: []*v1.Column{{Texts: [][]byte{[]byte("a")}}}}
	if !proto.Equal(plain, wanted) {
		t.Errorf("got %v, wanted %v", plain, wanted)
	}
	since := time.UnixMicro(5)
	rows := []Row{{Audience: "B", RecordKey: "k", EventTime: since}, {Exited: true, QualificationTime: since}}
	full, err := columns.encodePush(0, rows, []string{"A", "B"})
	if err != nil {
		t.Fatal(err)
	}
	if got := full.GetAudienceIndexes(); !reflect.DeepEqual(got, []uint32{1, 0}) {
		t.Errorf("audiences: got %v", got)
	}
	if got := full.GetStatuses(); len(got) != 2 || got[0] == got[1] {
		t.Errorf("statuses: got %v", got)
	}
	for name, column := range map[string]*v1.Column{
		"record_keys": full.GetRecordKeys(), "event_times": full.GetEventTimes(),
		"qualification_times": full.GetQualificationTimes(),
	} {
		if len(column.GetPresence()) != 2 || len(column.GetTexts())+len(column.GetIntegers()) != 1 {
			t.Errorf("%s: got %v, wanted one value of two", name, column)
		}
	}
}

func TestARawEntryHasEveryFieldThatACallerMaySet(t *testing.T) {
	raw := (&v1.RawLogEntry{}).ProtoReflect().Descriptor().Fields()
	entry := (&v1.LogEntry{}).ProtoReflect()
	for i := range raw.Len() {
		field := entry.Descriptor().Fields().ByName(raw.Get(i).Name())
		entry.Set(field, sample(field))
	}
	got := rawEntry(entry.Interface().(*v1.LogEntry)).ProtoReflect()
	for i := range raw.Len() {
		if !got.Has(raw.Get(i)) {
			t.Errorf("%s is lost", raw.Get(i).Name())
		}
	}
}

// sample is some value that a field can have and is not its default.
func sample(field protoreflect.FieldDescriptor) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(1)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("a\xff")
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(1)
	default:
		return protoreflect.ValueOfInt64(1)
	}
}
