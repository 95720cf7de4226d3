// One profile as a transaction has it in mind.
#ifndef PASSERELLE_STORAGE_SQLITE_PROFILE_ROW_H_
#define PASSERELLE_STORAGE_SQLITE_PROFILE_ROW_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "storage/sqlite/columns.h"
#include "storage/sqlite/profile_times.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// Text that lives as long as a transaction. Not thread-safe.
class TextArena {
 public:
  std::string_view Copy(std::string_view text);

 private:
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t left_ = 0;
  char* next_ = nullptr;
};

// One value of one profile. Text is a view: of the arena, or of the request that wrote it.
struct StoredValue {
  Cell::Kind kind = Cell::Kind::kNull;
  bool changed = false;
  uint32_t size = 0;
  union {
    int64_t integer;
    double real;
    const char* text;
  };

  StoredValue() : integer(0) {}
  explicit StoredValue(const Cell& cell);
  std::string_view view() const { return {text, size}; }
  // The same value as the cell's (absent is null); zeros are equal whatever their sign.
  bool Equals(const Cell& cell) const;
};

struct ProfileRow {
  ProfileId id;
  const ColumnSet* set = nullptr;    // the columns that are in `values`
  std::vector<StoredValue> values;   // in the order of set->attributes
  std::vector<AttributeTime> times;  // ascending by attribute
  bool exists = false;
  bool created = false;  // by this transaction
  bool deleted = false;  // by this transaction
  bool known = false;
  bool values_changed = false;
  bool known_changed = false;
  bool times_changed = false;
  bool identities_changed = false;

  // created && deleted: it never was.
  bool NeedsWriting() const {
    if (created || deleted) return created != deleted;
    return values_changed || known_changed || times_changed || identities_changed;
  }
  // `attribute` must be in `set`.
  StoredValue& ValueOf(AttributeNumber attribute);
  // Null: it has none.
  const AttributeTime* TimeOf(AttributeNumber attribute) const;
  void SetTime(const AttributeTime& time);
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PROFILE_ROW_H_
