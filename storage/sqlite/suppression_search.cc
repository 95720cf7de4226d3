#include "storage/sqlite/suppression_search.h"

#include <cstdint>
#include <vector>

#include "absl/time/clock.h"
#include "storage/reason.h"
#include "storage/sqlite/meta_rows.h"
#include "storage/sqlite/profile_edits.h"
#include "storage/sqlite/waiting.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kSuppressed[] = "suppressed_searched";
constexpr char kUnsuppressed[] = "unsuppressed_searched";
constexpr char kDropPosition[] = "DELETE FROM meta WHERE key = ?1";
constexpr char kNextProfiles[] = "SELECT id FROM profile WHERE id > ?1 ORDER BY id LIMIT ?2";
constexpr char kNextKeptOut[] =
    "SELECT DISTINCT profile FROM reach_block WHERE profile > ?1 AND reasons & 1 "
    "ORDER BY profile LIMIT ?2";
constexpr absl::Duration kLookAgain = absl::Milliseconds(5);

void SearchOn(Transaction& transaction, const char* key, const char* next_sql, int64_t after,
              int profiles) {
  Database& db = transaction.db();
  auto& edits = transaction.Overlay<ProfileEdits>();
  int64_t last = after;
  int looked_at = 0;
  {
    StatementScope next(db.Prepared(next_sql));
    next->BindAll(after, profiles);
    for (; next->Step(); ++looked_at) {
      last = next->Int(0);
      edits.ReconsiderReach(ProfileId{last});
    }
  }
  if (looked_at == profiles) return SetMetaNumber(db, key, last);
  StatementScope(db.Prepared(kDropPosition))->BindText(1, key).Run();
}

bool IsOrdered(Database& db) {
  return MetaNumber(db, kSuppressed).has_value() || MetaNumber(db, kUnsuppressed).has_value();
}

}  // namespace

void OrderSuppressedSearch(Database& db) { SetMetaNumber(db, kSuppressed, 0); }
void OrderUnsuppressedSearch(Database& db) { SetMetaNumber(db, kUnsuppressed, 0); }

absl::StatusOr<bool> SearchSuppressed(Transaction& transaction, int profiles) {
  Database& db = transaction.db();
  const auto kept_out = MetaNumber(db, kUnsuppressed);
  const auto all = MetaNumber(db, kSuppressed);
  if (kept_out.has_value()) {
    SearchOn(transaction, kUnsuppressed, kNextKeptOut, *kept_out, profiles);
  } else if (all.has_value()) {
    SearchOn(transaction, kSuppressed, kNextProfiles, *all, profiles);
  } else {
    return absl::CancelledError("no suppressed profile is to be looked for");
  }
  return IsOrdered(db);
}

void StartSuppressionSearch(InstanceContext& context) {
  context.profiles->WriteInBackground("suppressions",
                                      [](Transaction& transaction) -> absl::StatusOr<bool> {
                                        return SearchSuppressed(transaction);
                                      });
}

// A turn that fails ends the work in the background; it is begun again as long as somebody waits.
absl::Status AwaitSuppressionSearch(InstanceContext& context, const ReadContext& caller) {
  while (true) {
    bool ordered = false;
    RETURN_IF_ERROR(
        context.profiles->Read(caller, "suppressions: search", [&](const ReadLease& lease) {
          ordered = IsOrdered(lease.db());
          return absl::OkStatus();
        }));
    if (!ordered) return absl::OkStatus();
    RETURN_IF_ERROR(CheckCaller(caller, "waiting until suppressed profiles are found"));
    if (context.profiles->failed()) {
      return MakeError(absl::StatusCode::kUnavailable, Reason::kStoreFailed,
                       "the instance takes no more writes after an I/O error");
    }
    StartSuppressionSearch(context);
    absl::SleepFor(kLookAgain);
  }
}

}  // namespace passerelle::storage::sqlite
