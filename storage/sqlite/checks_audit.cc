// The check of a file's audit trail.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/sqlite/audit_walk.h"
#include "storage/sqlite/checks.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kDamageAdvice[] =
    "find out who could write the file; the trail cannot be repaired, keep the file as it is and "
    "compare it with a backup that is kept elsewhere";

class AuditCheck : public Check {
 public:
  AuditCheck(const std::string& chain, const StoreKeys* keys)
      : Check("audit trail"), walk_(chain, keys) {}

  absl::StatusOr<bool> Step(Database& db, FindingSink& sink) override {
    std::vector<AuditFinding> found;
    const bool more = walk_.Step(db, found);
    rows_read_ = walk_.entries_read();
    for (const AuditFinding& finding : found) Tell(finding, sink);
    return more;
  }

 private:
  static void Tell(const AuditFinding& finding, FindingSink& sink) {
    const std::string what = absl::StrCat("entry ", finding.number, ": ", finding.text);
    if (finding.kind == AuditFinding::Kind::kKeyMissing && !finding.others_follow) {
      return sink.Warn(what, "put the key file of then back, or keep what the trail says as it is");
    }
    sink.Add(Severity::kError, what, kDamageAdvice);
  }

  AuditWalk walk_;
};

}  // namespace

std::unique_ptr<Check> MakeAuditCheck(const std::string& chain, const StoreKeys* keys) {
  return std::make_unique<AuditCheck>(chain, keys);
}

}  // namespace passerelle::storage::sqlite
