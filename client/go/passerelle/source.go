package passerelle

import (
	"errors"
	"iter"
	"time"
)

// Row is one record of an import, a sync or a push.
type Row struct {
	// Identities by namespace. Text of a file that is not UTF-8 may be given as it is: the server refuses the row, and no
	// other.
	Identities map[string]string
	// Fields by name. One that is not there is left alone, nil is null. Values by the attribute's type: string or []byte;
	// any integer; float64 or any number; bool; time.Time; Date or time.Time; a slice of strings. A string is also taken
	// where its text is an integer, a number, a time (RFC 3339) or a day (YYYY-MM-DD).
	Fields map[string]any
	// EventTime is when the fields were as they are; zero: not told.
	EventTime time.Time
	// RecordKey is your own name of the record, for its outcome; at most 256 bytes.
	RecordKey string
	// Audience, of a push, is the audience's source_id; empty: the first one that the push names.
	Audience string
	// Exited, of a push: the profile left the audience.
	Exited bool
	// QualificationTime, of a push, is since when; zero: not told.
	QualificationTime time.Time
}

// Source is where rows come from. An ingest reads it from the offset on that the stream has reached, and keeps the rows
// that are not acknowledged; it must give the same rows each time it is read.
type Source[T any] struct {
	// begin gives the offset of the first row that comes, and the rows. The offset is less than the one asked for if there
	// are not as many rows.
	begin func(offset int64) (int64, iter.Seq2[T, error])
}

// FromSlice reads rows that are in memory.
func FromSlice[T any](rows []T) Source[T] {
	return Source[T]{func(offset int64) (int64, iter.Seq2[T, error]) {
		start := min(offset, int64(len(rows)))
		return start, func(yield func(T, error) bool) {
			for _, row := range rows[start:] {
				if !yield(row, nil) {
					return
				}
			}
		}
	}}
}

// FromOffset reads rows from a function that gives them from an offset on. An error it gives ends the ingest.
func FromOffset[T any](rows func(offset int64) iter.Seq2[T, error]) Source[T] {
	return Source[T]{func(offset int64) (int64, iter.Seq2[T, error]) { return offset, rows(offset) }}
}

// FromIterator reads rows that can only be read from the beginning: those that the stream has already are passed
// over. An error it gives ends the ingest.
func FromIterator[T any](rows iter.Seq2[T, error]) Source[T] {
	return Source[T]{func(offset int64) (int64, iter.Seq2[T, error]) {
		next, stop := iter.Pull2(rows)
		start := int64(0)
		var failed error
		for ; start < offset && failed == nil; start++ {
			_, err, ok := next()
			if !ok {
				break
			}
			failed = err
		}
		return start, func(yield func(T, error) bool) {
			defer stop()
			for {
				row, err, ok := next()
				err = errors.Join(failed, err)
				if !(ok || err != nil) || !yield(row, err) || err != nil {
					return
				}
			}
		}
	}}
}

// reader gives rows of a source from an offset on, with those not acknowledged yet kept for sending again.
type reader[T any] struct {
	source Source[T]
	next   func() (T, error, bool)
	stop   func()
	kept   []T
	start  int64 // offset of the first kept row
	at     int64 // offset of the next row to give
	// failed is the source's own error. After it the source gives nothing more, which is not its end.
	failed error
}

// end is the offset after the last row read so far.
func (r *reader[T]) end() int64 { return r.start + int64(len(r.kept)) }

// seek makes offset the next to be given. What is not kept any more, or was never read, is read anew.
func (r *reader[T]) seek(offset int64) {
	if r.next != nil && r.start <= offset && offset <= r.end() {
		r.forget(offset)
		r.at = offset
		return
	}
	r.close()
	start, rows := r.source.begin(offset)
	r.next, r.stop = iter.Pull2(rows)
	r.kept, r.start, r.at = nil, start, start
}

// take gives the offset of the next rows, and at most limit of them, fewer if they are of more than bytes together.
func (r *reader[T]) take(limit int, bytes int, size func(T) int) (int64, []T, error) {
	first := r.at - r.start
	count := int64(0)
	for sum := 0; count < int64(limit) && sum < bytes; count++ {
		if first+count == int64(len(r.kept)) {
			row, err, ok := r.next()
			if ok && err != nil {
				r.failed = err
				return 0, nil, err
			}
			if !ok {
				break
			}
			r.kept = append(r.kept, row)
		}
		sum += size(r.kept[first+count])
	}
	offset := r.at
	r.at += count
	return offset, r.kept[first : first+count], nil
}

// forget lets rows before offset go: they are durable.
func (r *reader[T]) forget(offset int64) {
	count := min(max(offset-r.start, 0), int64(len(r.kept)))
	clear(r.kept[:count])
	r.kept = r.kept[count:]
	r.start += count
}

func (r *reader[T]) close() {
	if r.stop != nil {
		r.stop()
	}
}
