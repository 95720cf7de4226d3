#include "storage/sqlite/admin_write.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "storage/reason.h"

namespace passerelle::storage::sqlite {
namespace {

using absl::StatusCode;

constexpr size_t kDependentsNamed = 20;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::string EtagOf(int64_t revision) { return absl::StrCat(revision); }

absl::Status CheckEtag(const AdminWrite& write, const std::string& present) {
  if (write.etag.empty() || write.etag == present) return absl::OkStatus();
  return MakeError(
      StatusCode::kAborted, Reason::kEtagMismatch,
      absl::StrCat("the resource was changed meanwhile: etag is ", present, "; read it again"),
      {{"etag", present}});
}

absl::Status MissingError(std::string_view kind, std::string_view id) {
  return MakeError(StatusCode::kNotFound, Reason::kNotFound,
                   absl::StrCat("there is no ", View(kind), " '", View(id), "'"));
}

absl::Status ExistingError(std::string_view kind, std::string_view id) {
  return MakeError(StatusCode::kAlreadyExists, Reason::kAlreadyExists,
                   absl::StrCat(View(kind), " '", View(id), "' exists already"));
}

absl::Status InUseError(std::string_view kind, std::string_view id,
                        const std::vector<std::string>& dependents) {
  const size_t named = std::min(dependents.size(), kDependentsNamed);
  const std::string names = absl::StrJoin(absl::MakeConstSpan(dependents).first(named), ",");
  return MakeError(
      StatusCode::kFailedPrecondition, Reason::kInUse,
      absl::StrCat(View(kind), " '", View(id), "' is used by ", dependents.size(), ": ", names),
      {{"dependents", names}});
}

absl::Status NotPausedError(std::string_view kind, std::string_view id) {
  return MakeError(StatusCode::kFailedPrecondition, Reason::kNotPaused,
                   absl::StrCat(View(kind), " '", View(id), "' is active: pause it first"));
}

}  // namespace passerelle::storage::sqlite
