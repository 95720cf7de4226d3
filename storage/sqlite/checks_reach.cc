// Checks of the profiles file: who must not be reached. Whom a suppression is for only its key
// tells, which the doctor does not have.
#include <string>

#include "absl/strings/str_cat.h"
#include "storage/sqlite/checks.h"
#include "storage/sqlite/reach_lists.h"

namespace passerelle::storage::sqlite {
namespace {

// Each row with what the lists say: whether the profile exists, is on the denylist, has an identity
// in quarantine, and whether any address is suppressed there.
constexpr char kBlocks[] =
    "SELECT b.profile, b.channel, b.reasons, EXISTS (SELECT 1 FROM profile p "
    "WHERE p.id = b.profile), EXISTS (SELECT 1 FROM denylist d WHERE d.profile = b.profile "
    "AND d.channel = b.channel), EXISTS (SELECT 1 FROM identity i JOIN quarantine q "
    "ON q.namespace = i.namespace AND q.value = i.value WHERE i.profile = b.profile "
    "AND q.channel = b.channel AND q.quarantine_us IS NOT NULL) FROM reach_block b "
    "WHERE (b.profile, b.channel) >= (?1, ?2) ORDER BY b.profile, b.channel LIMIT ?3";
constexpr char kDenied[] =
    "SELECT d.profile, d.channel, b.reasons FROM denylist d LEFT JOIN reach_block b "
    "ON b.profile = d.profile AND b.channel = d.channel "
    "WHERE (d.profile, d.channel) >= (?1, ?2) ORDER BY d.profile, d.channel LIMIT ?3";
constexpr char kQuarantined[] =
    "SELECT q.number, q.errors, i.profile, b.reasons, q.quarantine_us IS NULL FROM quarantine q "
    "LEFT JOIN identity i ON i.namespace = q.namespace AND i.value = q.value "
    "LEFT JOIN reach_block b ON b.profile = i.profile AND b.channel = q.channel "
    "WHERE q.number >= ?1 ORDER BY q.number LIMIT ?2";
constexpr char kSearchPosition[] =
    "SELECT key, typeof(value) FROM meta "
    "WHERE key IN ('suppressed_searched', 'unsuppressed_searched')";

constexpr int64_t kAllReasons = kBlockSuppressed | kBlockQuarantined | kBlockDenylisted;

void JudgeBlock(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  const int64_t reasons = row.Int(2);
  const std::string who =
      absl::StrCat("profile ", row.Int(0), " on channel '", std::string(row.Text(1)), "'");
  if (reasons <= 0 || (reasons & ~kAllReasons) != 0) {
    return sink.Damage(absl::StrCat(who, " is kept out for unknown reasons ", reasons));
  }
  if (!row.Bool(3)) return sink.Damage(absl::StrCat(who, " is kept out and does not exist"));
  const bool denied = (reasons & kBlockDenylisted) != 0;
  if (denied && !row.Bool(4)) {
    sink.Damage(absl::StrCat(who, " is kept out as if it were on the denylist, and is not"));
  }
  const bool quarantined = (reasons & kBlockQuarantined) != 0;
  if (quarantined != row.Bool(5)) {
    sink.Damage(absl::StrCat(who, quarantined
                                      ? " is kept out as if it had an address in quarantine"
                                      : " has an address in quarantine and is not kept out"));
  }
}

void JudgeDenied(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  if ((row.Int(2) & kBlockDenylisted) != 0) return;
  sink.Damage(absl::StrCat("profile ", row.Int(0), " is on the denylist of channel '",
                           std::string(row.Text(1)), "' and is not kept out"));
}

void JudgeQuarantined(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  const std::string which = absl::StrCat("quarantine row ", row.Int(0));
  if (row.Int(1) < 1) sink.Damage(absl::StrCat(which, " has no error that counted"));
  const bool in_quarantine = !row.Bool(4);
  const bool kept_out = row.IsNull(2) || (row.Int(3) & kBlockQuarantined) != 0;
  if (!in_quarantine || kept_out) return;
  sink.Damage(absl::StrCat(which, ": profile ", row.Int(2), " has it and is not kept out"));
}

void CheckSuppressions(Database& db, FindingSink& sink) {
  StatementScope positions(db.Prepared(kSearchPosition));
  while (positions->Step()) {
    if (positions->Text(1) == "integer") continue;
    sink.Damage(absl::StrCat("meta ", std::string(positions->Text(0)), " is no profile id"));
  }
}

}  // namespace

void AddReachChecks(Checks& checks) {
  checks.push_back(
      MakePagedCheck({"blocks", kBlocks, {KeyKind::kNumber, KeyKind::kText}}, JudgeBlock));
  checks.push_back(
      MakePagedCheck({"denylist", kDenied, {KeyKind::kNumber, KeyKind::kText}}, JudgeDenied));
  checks.push_back(
      MakePagedCheck({"quarantine", kQuarantined, {KeyKind::kNumber}}, JudgeQuarantined));
  checks.push_back(MakeSingleCheck("suppressions", CheckSuppressions));
}

}  // namespace passerelle::storage::sqlite
