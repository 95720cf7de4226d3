package passerelle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	v1 "passerelle.dev/go/passerellev1"
)

// What Column.presence says of a record.
const (
	isAbsent byte = 0
	isNull   byte = 1
	isValue  byte = 2
)

// absentValue is the value of a field that a row does not have, as opposed to nil, which is null.
type absentValue struct{}

var absent any = absentValue{}

// Date is a calendar day: the value of an attribute of type DATE.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the day of a moment, in the moment's own zone.
func DateOf(moment time.Time) Date {
	year, month, day := moment.Date()
	return Date{year, month, day}
}

// String is YYYY-MM-DD.
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day) }

const secondsOfDay = 24 * 60 * 60

func (d Date) days() int64 {
	return floorDiv(time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Unix(), secondsOfDay)
}

func dateOfDays(days int64) Date { return DateOf(time.Unix(days*secondsOfDay, 0).UTC()) }

func floorDiv(a, b int64) int64 {
	if a < 0 && a%b != 0 {
		return a/b - 1
	}
	return a / b
}

// encodeColumn makes one column out of one value for each record: nil is null, absent is absent. ErrInvalidUse names
// the record by its offset if a value does not convert to the type.
func encodeColumn(values []any, kind v1.AttributeType, what string, offset int64) (*v1.Column, error) {
	column, presence := &v1.Column{}, make([]byte, len(values))
	for i, value := range values {
		switch value {
		case absent:
			presence[i] = isAbsent
			continue
		case nil:
			presence[i] = isNull
			continue
		}
		presence[i] = isValue
		if err := appendValue(column, value, kind); err != nil {
			return nil, misuse("record %d, %s: %w", offset+int64(i), what, err)
		}
	}
	if bytes.Count(presence, []byte{isValue}) < len(presence) {
		column.Presence = presence
	}
	return column, nil
}

func appendValue(column *v1.Column, value any, kind v1.AttributeType) (err error) {
	switch kind {
	case v1.AttributeType_ATTRIBUTE_TYPE_INT64:
		return appendConverted(&column.Integers, value, toInteger)
	case v1.AttributeType_ATTRIBUTE_TYPE_DOUBLE:
		return appendConverted(&column.Doubles, value, toDouble)
	case v1.AttributeType_ATTRIBUTE_TYPE_BOOL:
		return appendConverted(&column.Bools, value, toBool)
	case v1.AttributeType_ATTRIBUTE_TYPE_TIMESTAMP:
		return appendConverted(&column.Integers, value, toMicroseconds)
	case v1.AttributeType_ATTRIBUTE_TYPE_DATE:
		return appendConverted(&column.Integers, value, toDays)
	case v1.AttributeType_ATTRIBUTE_TYPE_STRING_LIST:
		return appendConverted(&column.Lists, value, toList)
	default:
		// A type that this client is too old to know goes as text: the server says what it wants.
		return appendConverted(&column.Texts, value, toText)
	}
}

func appendConverted[T any](list *[]T, value any, convert func(any) (T, error)) error {
	converted, err := convert(value)
	if err == nil {
		*list = append(*list, converted)
	}
	return err
}

func mismatch(value any, wanted string) error {
	return fmt.Errorf("got a value of type %T, wanted %s", value, wanted)
}

// toText takes any bytes: the server refuses the row whose text is not UTF-8, and no other.
func toText(value any) ([]byte, error) {
	switch value := value.(type) {
	case string:
		return []byte(value), nil
	case []byte:
		return value, nil
	case json.Number:
		return []byte(value), nil
	case fmt.Stringer:
		return []byte(value.String()), nil
	default:
		return nil, mismatch(value, "a string")
	}
}

func toInteger(value any) (int64, error) {
	number := reflect.ValueOf(value)
	switch {
	case number.CanInt():
		return number.Int(), nil
	case number.CanUint() && number.Uint() <= math.MaxInt64:
		return int64(number.Uint()), nil
	case number.Kind() == reflect.String:
		integer, err := strconv.ParseInt(number.String(), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("got a text that is no 64-bit integer: %w", err.(*strconv.NumError).Err)
		}
		return integer, nil
	default:
		return 0, mismatch(value, "an integer of 64 bits")
	}
}

func toDouble(value any) (float64, error) {
	number := reflect.ValueOf(value)
	switch {
	case number.CanFloat():
		return number.Float(), nil
	case number.CanInt():
		return float64(number.Int()), nil
	case number.CanUint():
		return float64(number.Uint()), nil
	case number.Kind() == reflect.String:
		double, err := strconv.ParseFloat(number.String(), 64)
		if err != nil {
			return 0, fmt.Errorf("got a text that is no number: %w", err.(*strconv.NumError).Err)
		}
		return double, nil
	default:
		return 0, mismatch(value, "a number")
	}
}

func toBool(value any) (bool, error) {
	if value, ok := value.(bool); ok {
		return value, nil
	}
	return false, mismatch(value, "true or false")
}

// toMicroseconds takes a moment, RFC 3339 text, or microseconds since 1970. Finer than that is cut off, towards the
// past.
func toMicroseconds(value any) (int64, error) {
	switch value := value.(type) {
	case time.Time:
		return value.UnixMicro(), nil
	case string:
		moment, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return 0, fmt.Errorf("got a text that is no time, wanted one as %s", time.RFC3339)
		}
		return moment.UnixMicro(), nil
	default:
		if microseconds, err := toInteger(value); err == nil {
			return microseconds, nil
		}
		return 0, mismatch(value, "a time.Time")
	}
}

// toDays takes a day, the day of a moment in its zone, YYYY-MM-DD, or days since 1970.
func toDays(value any) (int64, error) {
	switch value := value.(type) {
	case Date:
		return value.days(), nil
	case time.Time:
		return DateOf(value).days(), nil
	case string:
		moment, err := time.Parse(time.DateOnly, value)
		if err != nil {
			return 0, fmt.Errorf("got a text that is no day, wanted one as %s", time.DateOnly)
		}
		return DateOf(moment).days(), nil
	default:
		if days, err := toInteger(value); err == nil {
			return days, nil
		}
		return 0, mismatch(value, "a passerelle.Date or a time.Time")
	}
}

func toList(value any) (*v1.TextList, error) {
	texts := reflect.ValueOf(value)
	if texts.Kind() != reflect.Slice {
		return nil, mismatch(value, "a slice of strings")
	}
	list := &v1.TextList{}
	for i := range texts.Len() {
		text, err := toText(texts.Index(i).Interface())
		if err != nil {
			return nil, err
		}
		list.Values = append(list.Values, text)
	}
	return list, nil
}

// decodeColumn gives one value for each record; nil where there is none.
func decodeColumn(column *v1.Column, records int, kind v1.AttributeType) ([]any, error) {
	dense := denseValues(column, kind)
	presence := column.GetPresence()
	if len(presence) == 0 {
		presence = bytes.Repeat([]byte{isValue}, records)
	}
	if len(presence) != records || bytes.Count(presence, []byte{isValue}) != len(dense) {
		return nil, fmt.Errorf("the server sent a column of %d values for %d records", len(dense), records)
	}
	values, next := make([]any, records), 0
	for i, here := range presence {
		if here == isValue {
			values[i] = dense[next]
			next++
		}
	}
	return values, nil
}

func denseValues(column *v1.Column, kind v1.AttributeType) []any {
	switch kind {
	case v1.AttributeType_ATTRIBUTE_TYPE_INT64:
		return mapped(column.GetIntegers(), func(n int64) any { return n })
	case v1.AttributeType_ATTRIBUTE_TYPE_DOUBLE:
		return mapped(column.GetDoubles(), func(n float64) any { return n })
	case v1.AttributeType_ATTRIBUTE_TYPE_BOOL:
		return mapped(column.GetBools(), func(b bool) any { return b })
	case v1.AttributeType_ATTRIBUTE_TYPE_TIMESTAMP:
		return mapped(column.GetIntegers(), func(n int64) any { return time.UnixMicro(n).UTC() })
	case v1.AttributeType_ATTRIBUTE_TYPE_DATE:
		return mapped(column.GetIntegers(), func(n int64) any { return dateOfDays(n) })
	case v1.AttributeType_ATTRIBUTE_TYPE_STRING_LIST:
		return mapped(column.GetLists(), func(list *v1.TextList) any {
			return mapped(list.GetValues(), func(text []byte) string { return string(text) })
		})
	default:
		return mapped(column.GetTexts(), func(text []byte) any { return string(text) })
	}
}

func mapped[From, To any](list []From, convert func(From) To) []To {
	converted := make([]To, len(list))
	for i, value := range list {
		converted[i] = convert(value)
	}
	return converted
}
