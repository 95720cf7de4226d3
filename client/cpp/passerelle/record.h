// What a caller of the ingest loops gives: records, and sources of records that can be read again
// from any offset.
#ifndef PASSERELLE_CLIENT_RECORD_H_
#define PASSERELLE_CLIENT_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "passerelle/v1/log_entry.pb.h"

namespace passerelle::client {

struct Absent {};  // leave the stored value alone
struct Null {};    // as the mapping's merge policy says; an import clears
// The caller has a value that is not of the field's type: the server refuses the row with
// WRONG_TYPE, and only that row.
struct Unreadable {};
// A value of a field. Timestamps are int64 microseconds since 1970, dates int64 days since 1970.
using Value = std::variant<Absent, Null, std::string, int64_t, double, bool,
                           std::vector<std::string>, Unreadable>;

// One record of an import, a sync or a push.
struct Row {
  std::vector<Value> identities;  // texts, one for each opened namespace
  std::vector<Value> fields;      // one for each opened field
  std::optional<int64_t> event_time_us;
  bool event_time_unreadable = false;  // as Unreadable; event_time_us is not looked at
  std::string record_key;              // empty: none
  // Pushes only.
  uint32_t audience = 0;  // index into the opened audiences
  bool exited = false;
  std::optional<int64_t> qualification_time_us;
  bool qualification_time_unreadable = false;
  bool status_unreadable = false;  // the server refuses the row, `exited` is not looked at
};

// Records in a fixed order: the record at an offset is always the same. Used by one thread.
template <typename Record>
class Source {
 public:
  virtual ~Source() = default;
  // The next record is the one at `offset` (0: the first). OUT_OF_RANGE if there are fewer.
  virtual absl::Status Seek(int64_t offset) = 0;
  // Overwrites `record` with the next one, keeping its memory; false at the end.
  virtual absl::StatusOr<bool> Next(Record* record) = 0;
};
using RowSource = Source<Row>;
using LogSource = Source<v1::RawLogEntry>;

// Records held in memory.
template <typename Record>
class VectorSource : public Source<Record> {
 public:
  explicit VectorSource(std::vector<Record> records) : records_(std::move(records)) {}
  absl::Status Seek(int64_t offset) override {
    if (offset > static_cast<int64_t>(records_.size())) {
      return absl::OutOfRangeError(
          absl::StrCat("the source holds ", records_.size(), " records, wanted ", offset));
    }
    next_ = offset;
    return absl::OkStatus();
  }
  absl::StatusOr<bool> Next(Record* record) override {
    if (next_ == records_.size()) return false;
    *record = records_[next_++];
    return true;
  }

 private:
  const std::vector<Record> records_;
  std::size_t next_ = 0;
};

}  // namespace passerelle::client

#endif  // PASSERELLE_CLIENT_RECORD_H_
