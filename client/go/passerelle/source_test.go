package passerelle

import (
	"errors"
	"iter"
	"slices"
	"testing"
)

func counting(count int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range count {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// sources of the same count rows, each the number of its offset.
func sources(count int) map[string]Source[int] {
	rows := make([]int, count)
	for i := range rows {
		rows[i] = i
	}
	return map[string]Source[int]{
		"slice":    FromSlice(rows),
		"iterator": FromIterator(counting(count)),
		"offset": FromOffset(func(offset int64) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for i := int(offset); i < count; i++ {
					if !yield(i, nil) {
						return
					}
				}
			}
		}),
	}
}

func one(int) int { return 1 }

func wantRows(t *testing.T, r *reader[int], limit int, offset int64, wanted ...int) {
	t.Helper()
	at, rows, err := r.take(limit, 1000, one)
	if err != nil || at != offset || !slices.Equal(rows, wanted) {
		t.Errorf("got %v at %d (%v), wanted %v at %d", rows, at, err, wanted, offset)
	}
}

func TestRowsComeFromTheOffsetThatIsSought(t *testing.T) {
	for name, source := range sources(7) {
		t.Run(name, func(t *testing.T) {
			r := &reader[int]{source: source}
			defer r.close()
			r.seek(2)
			wantRows(t, r, 3, 2, 2, 3, 4)
			wantRows(t, r, 3, 5, 5, 6)
			wantRows(t, r, 3, 7)
			r.forget(4)
			r.seek(4) // the connection was lost: what is not acknowledged comes again
			wantRows(t, r, 2, 4, 4, 5)
			r.seek(1) // the server has less than it said: read anew
			wantRows(t, r, 9, 1, 1, 2, 3, 4, 5, 6)
			r.seek(6) // somebody else has sent some
			wantRows(t, r, 9, 6, 6)
			if r.end() != 7 {
				t.Errorf("end: got %d, wanted 7", r.end())
			}
		})
	}
}

func TestTheEndOfASourceThatIsTooShortIsItsOwn(t *testing.T) {
	for _, name := range []string{"slice", "iterator"} {
		r := &reader[int]{source: sources(3)[name]}
		r.seek(5)
		wantRows(t, r, 9, 3)
		if r.end() != 3 {
			t.Errorf("%s: got %d, wanted 3", name, r.end())
		}
		r.close()
	}
}

func TestABatchIsCutBySizeToo(t *testing.T) {
	r := &reader[int]{source: FromSlice([]int{5, 5, 5, 50, 1})}
	defer r.close()
	r.seek(0)
	for _, wanted := range [][]int{{5, 5}, {5, 50}, {1}, {}} {
		_, rows, err := r.take(9, 10, func(size int) int { return size })
		if err != nil || !slices.Equal(rows, wanted) {
			t.Errorf("got %v (%v), wanted %v", rows, err, wanted)
		}
	}
}

func TestAnErrorOfTheSourceIsTold(t *testing.T) {
	broken := errors.New("the file is broken")
	failing := func(yield func(int, error) bool) {
		_ = yield(0, nil) && yield(0, broken)
	}
	for offset := range int64(2) {
		r := &reader[int]{source: FromIterator(failing)}
		r.seek(offset)
		if _, _, err := r.take(9, 1000, one); !errors.Is(err, broken) {
			t.Errorf("from %d: got %v", offset, err)
		}
		r.close()
	}
	r := &reader[int]{source: FromIterator(failing)}
	defer r.close()
	r.seek(2) // it breaks while rows are passed over
	if _, _, err := r.take(9, 1000, one); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
