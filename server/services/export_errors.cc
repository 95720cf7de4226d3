#include "server/services/export_errors.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/errors.h"

namespace passerelle {

absl::Status RowsGone(const std::string& field, std::string earliest) {
  return errors::CursorExpired({field,
                                "rows after it are past their retention and gone; go on from the "
                                "cursor in metadata earliest, which leaves them out"},
                               std::move(earliest));
}

absl::Status ConsumerExpired(const std::string& name, std::string earliest) {
  return errors::ConsumerExpired(
      absl::StrCat(name,
                   " expired: it did not acknowledge for as long as rows wait for it, so rows "
                   "after its position may be gone; Seek it to the cursor in metadata earliest, "
                   "or to a time or the end"),
      std::move(earliest));
}

}  // namespace passerelle
