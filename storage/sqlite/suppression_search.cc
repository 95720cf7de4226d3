#include "storage/sqlite/suppression_search.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

#include "absl/time/clock.h"
#include "storage/reason.h"
#include "storage/sqlite/meta_rows.h"
#include "storage/sqlite/profile_edits.h"
#include "storage/sqlite/reach_lists.h"
#include "storage/sqlite/waiting.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kDrop[] = "DELETE FROM meta WHERE key = ?1";
constexpr char kNextProfiles[] = "SELECT id FROM profile WHERE id > ?1 ORDER BY id LIMIT ?2";
constexpr char kNextKeptOut[] =
    "SELECT DISTINCT profile FROM reach_block WHERE profile > ?1 AND reasons & 1 "
    "ORDER BY profile LIMIT ?2";
constexpr absl::Duration kLookAgain = absl::Milliseconds(5);

// What meta keeps of one of the two, by laps over all that it looks at.
struct Search {
  const char* position;  // of the lap at work
  const char* again;     // another lap is ordered, for what came when this one was on its way
  const char* laps;      // that ended
  const char* next_sql;
};
constexpr Search kSuppressed = {"suppressed_searched", "suppressed_again", "suppressed_laps",
                                kNextProfiles};
constexpr Search kUnsuppressed = {"unsuppressed_searched", "unsuppressed_again",
                                  "unsuppressed_laps", kNextKeptOut};

std::atomic<bool> somebody_waits{false};

void Drop(Database& db, const char* key) {
  StatementScope(db.Prepared(kDrop))->BindText(1, key).Run();
}

// A lap that is on its way ends before the next one begins, so that orders that come all the time
// do not keep it from ever ending.
void Order(Database& db, const Search& search) {
  const auto position = MetaNumber(db, search.position);
  if (position.value_or(0) == 0) return SetMetaNumber(db, search.position, 0);
  SetMetaNumber(db, search.again, 1);
}

void EndLap(Database& db, const Search& search) {
  SetMetaNumber(db, search.laps, MetaNumber(db, search.laps).value_or(0) + 1);
  if (MetaNumber(db, search.again).has_value()) {
    Drop(db, search.again);
    return SetMetaNumber(db, search.position, 0);
  }
  Drop(db, search.position);
  if (search.position == kSuppressed.position) Drop(db, kUnhashedProfiles);
}

void SearchOn(Transaction& transaction, const Search& search, int64_t after, int profiles) {
  Database& db = transaction.db();
  auto& edits = transaction.Overlay<ProfileEdits>();
  int64_t last = after;
  int looked_at = 0;
  {
    StatementScope next(db.Prepared(search.next_sql));
    next->BindAll(after, profiles);
    for (; next->Step(); ++looked_at) {
      last = next->Int(0);
      edits.ReconsiderReach(ProfileId{last});
    }
  }
  looked_at == profiles ? SetMetaNumber(db, search.position, last) : EndLap(db, search);
}

// Who is suppressed cannot be looked for while a key is missing: the order waits for it.
std::optional<int64_t> PositionOf(Transaction& transaction, const Search& search) {
  Database& db = transaction.db();
  const auto position = MetaNumber(db, search.position);
  const bool hashes = search.position == kSuppressed.position;
  if (!position.has_value() || !hashes) return position;
  return ReachLists(db, transaction.store_keys()).misses_keys() ? std::nullopt : position;
}

// Laps that must have ended for all that is ordered now to be done.
int64_t LapsWanted(Database& db, const Search& search) {
  const int64_t ended = MetaNumber(db, search.laps).value_or(0);
  if (!MetaNumber(db, search.position).has_value()) return ended;
  return ended + (MetaNumber(db, search.again).has_value() ? 2 : 1);
}

struct Laps {
  int64_t suppressed = 0;
  int64_t unsuppressed = 0;
};

bool HaveEnded(Database& db, const Laps& wanted) {
  return MetaNumber(db, kSuppressed.laps).value_or(0) >= wanted.suppressed &&
         MetaNumber(db, kUnsuppressed.laps).value_or(0) >= wanted.unsuppressed;
}

}  // namespace

void OrderSuppressedSearch(Database& db) { Order(db, kSuppressed); }
void OrderUnsuppressedSearch(Database& db) { Order(db, kUnsuppressed); }

void OrderSearchOnceKeysAreBack(Database& db) {
  OrderSuppressedSearch(db);
  SetMetaNumber(db, kUnhashedProfiles, 1);
}

absl::StatusOr<bool> SearchSuppressed(Transaction& transaction, int profiles) {
  const auto kept_out = PositionOf(transaction, kUnsuppressed);
  const auto all = PositionOf(transaction, kSuppressed);
  if (!kept_out.has_value() && !all.has_value()) return NothingWritten(false);
  const bool both = kept_out.has_value() && all.has_value();
  const int each = both ? std::max(1, profiles / 2) : profiles;
  if (kept_out.has_value()) SearchOn(transaction, kUnsuppressed, *kept_out, each);
  if (all.has_value()) SearchOn(transaction, kSuppressed, *all, each);
  return PositionOf(transaction, kUnsuppressed).has_value() ||
         PositionOf(transaction, kSuppressed).has_value();
}

void StartSuppressionSearch(InstanceContext& context) {
  context.profiles->WriteInBackground("suppressions",
                                      [](Transaction& transaction) -> absl::StatusOr<bool> {
                                        return SearchSuppressed(transaction);
                                      });
}

absl::Status SearchWaiter::CheckRoom() {
  if (!somebody_waits) return absl::OkStatus();
  return MakeError(absl::StatusCode::kResourceExhausted, Reason::kReadTooLong,
                   "another call waits already until profiles are found; come again");
}

std::optional<SearchWaiter> SearchWaiter::Take() {
  if (somebody_waits.exchange(true)) return std::nullopt;
  return SearchWaiter(&somebody_waits);
}

// While a key is missing nothing is given out, and nobody waits for it to come back. A turn that
// fails ends the work in the background; it is begun again as long as somebody waits.
absl::Status AwaitSuppressionSearch(InstanceContext& context, const ReadContext& caller) {
  std::optional<SearchWaiter> place;
  std::optional<Laps> wanted;
  while (true) {
    bool ended = false;
    RETURN_IF_ERROR(
        context.profiles->Read(caller, "suppressions: search", [&](const ReadLease& lease) {
          Database& db = lease.db();
          const bool hashes = !ReachLists(db, context.store_keys.get()).misses_keys();
          if (!wanted.has_value()) {
            wanted = {LapsWanted(db, kSuppressed), LapsWanted(db, kUnsuppressed)};
          }
          if (!hashes) wanted->suppressed = 0;
          ended = HaveEnded(db, *wanted);
          return absl::OkStatus();
        }));
    if (ended) return absl::OkStatus();
    if (!place.has_value()) place = SearchWaiter::Take();
    if (!place.has_value()) {
      RETURN_IF_ERROR(SearchWaiter::CheckRoom());
      continue;
    }
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
