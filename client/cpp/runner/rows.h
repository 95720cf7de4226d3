// The rows of an ingest step, as the client takes them.
#ifndef PASSERELLE_CLIENT_RUNNER_ROWS_H_
#define PASSERELLE_CLIENT_RUNNER_ROWS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "passerelle/record.h"
#include "passerelle/v1/instance.pb.h"
#include "runner/json.h"

namespace passerelle::runner {

struct RowShape {
  std::vector<std::string> identities;
  std::vector<std::string> fields;
  std::vector<v1::AttributeType> types;  // of the fields
  std::vector<std::string> audiences;    // of a push
};

// From `rows` or `generate`. INVALID_ARGUMENT, with the row, for a value that is not of its type
// and for a field that was not opened.
absl::StatusOr<std::vector<client::Row>> RowsOf(const Json& step, const RowShape& shape);

// The same of an append.
absl::StatusOr<std::vector<v1::RawLogEntry>> LogRowsOf(const Json& step);

}  // namespace passerelle::runner

#endif  // PASSERELLE_CLIENT_RUNNER_ROWS_H_
