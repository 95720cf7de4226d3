#include "server/streams/byte_budget.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/errors.h"

namespace passerelle {
namespace {

constexpr absl::Duration kRetryAfter = absl::Seconds(1);

}  // namespace

absl::Status ByteBudget::Check(const Share* mine) const {
  const int64_t own = mine != nullptr ? mine->bytes_ : 0;
  const int64_t used = used_;
  if (used <= std::max(limit_.bytes, own)) return absl::OkStatus();
  return errors::Overloaded(absl::StrCat(limit_.what, " hold ", used, " bytes, limit ",
                                         limit_.bytes, " (", limit_.setting, ")"),
                            kRetryAfter);
}

}  // namespace passerelle
