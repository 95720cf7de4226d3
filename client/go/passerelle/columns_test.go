package passerelle

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	v1 "passerelle.dev/go/passerellev1"
)

const (
	int64Kind  = v1.AttributeType_ATTRIBUTE_TYPE_INT64
	doubleKind = v1.AttributeType_ATTRIBUTE_TYPE_DOUBLE
	boolKind   = v1.AttributeType_ATTRIBUTE_TYPE_BOOL
	dateKind   = v1.AttributeType_ATTRIBUTE_TYPE_DATE
	listKind   = v1.AttributeType_ATTRIBUTE_TYPE_STRING_LIST
)

func TestEveryTypeOfValueComesBackAsItWentIn(t *testing.T) {
	moment := time.UnixMicro(1_700_000_000_123_456).UTC()
	for kind, values := range map[v1.AttributeType][]any{
		textKind:   {"", "É, \"q\"\n", nil},
		int64Kind:  {int64(math.MinInt64), nil, int64(math.MaxInt64)},
		doubleKind: {-0.5, nil, math.MaxFloat64},
		boolKind:   {false, true, nil},
		momentKind: {moment, time.UnixMicro(-1).UTC(), nil},
		dateKind:   {Date{1969, time.December, 31}, Date{2024, time.February, 29}, nil, Date{1, time.January, 1}},
		listKind:   {[]string{"a", "", "ü"}, nil, []string{}},
	} {
		column, err := encodeColumn(values, kind, "x", 0)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		decoded, err := decodeColumn(column, len(values), kind)
		if err != nil || !reflect.DeepEqual(decoded, values) {
			t.Errorf("%s: got %v (%v), wanted %v", kind, decoded, err, values)
		}
	}
}

func TestPresenceTellsAbsentNullAndValueApart(t *testing.T) {
	column, err := encodeColumn([]any{"a", absent, nil, "b"}, textKind, "x", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := column.GetPresence(); !reflect.DeepEqual(got, []byte{isValue, isAbsent, isNull, isValue}) {
		t.Errorf("presence: got %v", got)
	}
	if len(column.GetTexts()) != 2 {
		t.Errorf("texts: got %q, wanted two without gaps", column.GetTexts())
	}
	full, err := encodeColumn([]any{"a", "b"}, textKind, "x", 0)
	if err != nil || full.GetPresence() != nil {
		t.Errorf("a full column has no presence: got %v (%v)", full.GetPresence(), err)
	}
}

func TestValuesOfOtherTypesConvertIfTheyFit(t *testing.T) {
	paris := time.FixedZone("Paris", 3600)
	for _, c := range []struct {
		value  any
		kind   v1.AttributeType
		wanted any
	}{
		{uint8(7), int64Kind, int64(7)},
		{"-9223372036854775808", int64Kind, int64(math.MinInt64)},
		{json.Number("5"), int64Kind, int64(5)},
		{json.Number("1e3"), doubleKind, 1000.0},
		{3, doubleKind, 3.0},
		{float32(0.5), doubleKind, 0.5},
		{[]byte("b"), textKind, "b"},
		{json.Number("5"), textKind, "5"},
		{"2026-01-01T01:00:00.5+01:00", momentKind, time.UnixMicro(1_767_225_600_500_000).UTC()},
		{int64(-1), momentKind, time.UnixMicro(-1).UTC()},
		{time.Unix(0, 1_999).UTC(), momentKind, time.UnixMicro(1).UTC()},
		{"2026-02-28", dateKind, Date{2026, time.February, 28}},
		{time.Date(2026, 3, 1, 0, 30, 0, 0, paris), dateKind, Date{2026, time.March, 1}},
		{-1, dateKind, Date{1969, time.December, 31}},
		{[]any{"a", []byte("b")}, listKind, []string{"a", "b"}},
	} {
		column, err := encodeColumn([]any{c.value}, c.kind, "x", 0)
		if err != nil {
			t.Errorf("%v as %s: %v", c.value, c.kind, err)
			continue
		}
		decoded, err := decodeColumn(column, 1, c.kind)
		if err != nil || !reflect.DeepEqual(decoded[0], c.wanted) {
			t.Errorf("%v as %s: got %v (%v), wanted %v", c.value, c.kind, decoded[0], err, c.wanted)
		}
	}
}

func TestAValueThatDoesNotFitIsMisuseAndNamesTheRecord(t *testing.T) {
	for _, c := range []struct {
		value any
		kind  v1.AttributeType
	}{
		{"abc", int64Kind}, {"1.5", int64Kind}, {1.5, int64Kind}, {uint64(math.MaxUint64), int64Kind},
		{"9223372036854775808", int64Kind}, {"abc", doubleKind}, {true, doubleKind}, {1, boolKind}, {"true", boolKind},
		{5, textKind}, {"yesterday", momentKind}, {1.5, momentKind}, {"2026-02-30", dateKind}, {true, dateKind},
		{"a", listKind}, {[]int{1}, listKind},
	} {
		_, err := encodeColumn([]any{nil, c.value}, c.kind, "age", 40)
		if !errors.Is(err, ErrInvalidUse) || !strings.HasPrefix(err.Error(), "record 41, age: ") {
			t.Errorf("%v as %s: got %v", c.value, c.kind, err)
		}
		if err != nil && strings.Contains(err.Error(), "abc") {
			t.Errorf("the error holds the value: %v", err)
		}
	}
}

func TestAColumnThatDoesNotFitItsRecordsIsAnError(t *testing.T) {
	for _, column := range []*v1.Column{
		{},
		{Texts: [][]byte{[]byte("a")}},
		{Texts: [][]byte{[]byte("a")}, Presence: []byte{isValue, isValue}},
		{Texts: [][]byte{[]byte("a")}, Presence: []byte{isValue}},
	} {
		if values, err := decodeColumn(column, 2, textKind); err == nil {
			t.Errorf("%v: got %v, wanted an error", column, values)
		}
	}
}
