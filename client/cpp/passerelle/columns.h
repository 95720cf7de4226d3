// Builds the columns of one batch, row by row. Not thread-safe.
#ifndef PASSERELLE_CLIENT_COLUMNS_H_
#define PASSERELLE_CLIENT_COLUMNS_H_

#include <string>

#include "absl/status/status.h"
#include "passerelle/record.h"
#include "passerelle/v1/ingest.pb.h"

namespace passerelle::client {

// Fills one Column. Values of one column are of one type.
class ColumnBuilder {
 public:
  explicit ColumnBuilder(v1::Column* column) : column_(*column) {}

  // Adds the value of the next record. Returns the bytes it takes, about.
  int64_t Add(const Value& value);
  int64_t AddText(const std::string& text);  // empty: absent
  int64_t AddTime(const std::optional<int64_t>& time_us, bool unreadable);
  // To be called once, after the last record: drops a presence that says nothing.
  // INVALID_ARGUMENT if values of several types were added.
  absl::Status Finish();

  // Some record says more than absent or null.
  bool has_values() const { return values_ > 0 || unreadable_; }

 private:
  int64_t AddValue(const Value& value);
  int64_t AddUnreadable();

  v1::Column& column_;
  int64_t values_ = 0;
  bool unreadable_ = false;
};

}  // namespace passerelle::client

#endif  // PASSERELLE_CLIENT_COLUMNS_H_
