#include "storage/sqlite/replace.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/audience_rows.h"
#include "storage/sqlite/membership.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kDayUs = int64_t{24} * 3600 * 1'000'000;

constexpr char kFind[] =
    "SELECT r.audience, r.generation, r.as_of_us, r.max_refused_percent, r.staged,"
    " r.carried_profile, a.id FROM audience_replace r JOIN audience a ON a.number = r.audience"
    " WHERE r.stream = ?1";
constexpr char kBegin[] =
    "INSERT INTO audience_replace(audience, stream, generation, as_of_us, max_refused_percent,"
    " staged, carried_profile, update_us) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)";
constexpr char kSetMaxRefused[] =
    "UPDATE audience_replace SET max_refused_percent = ?2 WHERE stream = ?1";
constexpr char kRemove[] = "DELETE FROM audience_replace WHERE audience = ?1";
constexpr char kSetCarried[] =
    "UPDATE audience_replace SET carried_profile = ?2 WHERE audience = ?1";
constexpr char kPresentRows[] =
    "SELECT profile, from_seq, status, qualified_us FROM membership"
    " WHERE audience = ?1 AND generation = ?2 AND profile > ?3 AND to_seq = 9223372036854775807"
    " ORDER BY profile LIMIT ?4";
// A row that is staged already is a later push, which was carried when it came.
constexpr char kCarry[] =
    "INSERT INTO membership(audience, generation, profile, from_seq, to_seq, status, qualified_us)"
    " SELECT ?1, ?2, ?3, ?4, 9223372036854775807, ?5, ?6 WHERE NOT EXISTS (SELECT 1"
    " FROM membership WHERE audience = ?1 AND generation = ?2 AND profile = ?3 AND from_seq > 0)";
constexpr char kDropRecord[] =
    "DELETE FROM membership"
    " WHERE audience = ?1 AND generation = ?2 AND profile = ?3 AND from_seq = 0";

struct Staging {
  AudienceNumber audience;
  int64_t generation = 0;
  int64_t carried_profile = 0;  // kForever: all
  ReplaceState state;
};

std::optional<Staging> FindStaging(Database& db, std::string_view stream) {
  StatementScope get(db.Prepared(kFind));
  get->BindText(1, stream);
  if (!get->Step()) return std::nullopt;
  Staging staging;
  staging.audience = AudienceNumber{get->Int(0)};
  staging.generation = get->Int(1);
  staging.carried_profile = get->Int(5);
  staging.state.audience = staging.audience;
  staging.state.options.audience = std::string(get->Text(6));
  staging.state.options.as_of_us = get->Int(2);
  staging.state.options.max_refused_percent = get->Double(3);
  staging.state.staged = get->Int(4);
  staging.state.carried = staging.carried_profile == kForever;
  return staging;
}

void RemoveStaging(Transaction& transaction, AudienceNumber audience) {
  StatementScope remove(transaction.db().Prepared(kRemove));
  remove->BindInt(1, audience.value).Run();
  transaction.Overlay<MembershipEdits>().Forget(audience);
}

absl::Status CheckAudience(const std::optional<Audience>& audience, const ReplaceOptions& options,
                           std::string_view stream) {
  if (!audience.has_value()) {
    return MakeError(absl::StatusCode::kNotFound, Reason::kNotFound,
                     absl::StrCat("replace.audience: there is no audience ", options.audience));
  }
  if (audience->kind != AudienceKind::kList) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, Reason::kAudienceNotAList,
        absl::StrCat("replace.audience: ", options.audience, " is computed, wanted a list"));
  }
  if (!audience->replacing_stream.empty() && audience->replacing_stream != stream) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kReplaceInProgress,
                     absl::StrCat("audience ", options.audience, " is being replaced by stream ",
                                  audience->replacing_stream, "; finish or abandon it first"),
                     {{"stream", audience->replacing_stream}});
  }
  return absl::OkStatus();
}

struct Candidate {
  int64_t profile, from_seq, status, qualified_us;
};

// The next open rows of the present generation.
std::vector<Candidate> NextRows(Transaction& transaction, const Staging& staging,
                                int64_t generation, int rows) {
  std::vector<Candidate> found;
  found.reserve(rows);
  StatementScope list(transaction.db().Prepared(kPresentRows));
  list->BindAll(staging.audience.value, generation, staging.carried_profile, rows);
  while (list->Step()) {
    found.push_back({list->Int(0), list->Int(1), list->Int(2), list->Int(3)});
  }
  return found;
}

void CarryRow(Transaction& transaction, const Staging& staging, const Candidate& row, int64_t seq) {
  StatementScope drop(transaction.db().Prepared(kDropRecord));
  drop->BindAll(staging.audience.value, staging.generation, row.profile).Run();
  StatementScope carry(transaction.db().Prepared(kCarry));
  carry
      ->BindAll(staging.audience.value, staging.generation, row.profile,
                row.from_seq > 0 ? row.from_seq : seq, row.status, row.qualified_us)
      .Run();
}

void SetCarried(Transaction& transaction, const Staging& staging, int64_t profile) {
  StatementScope set(transaction.db().Prepared(kSetCarried));
  set->BindAll(staging.audience.value, profile).Run();
}

// Returns up to which profile all is carried; kForever: to the end.
int64_t CarryRows(Transaction& transaction, const Staging& staging, const AudienceState& state,
                  int rows) {
  const int64_t as_of_us = *staging.state.options.as_of_us;
  const auto found = NextRows(transaction, staging, state.generation, rows);
  const int64_t seq = transaction.NextSeq();
  for (const Candidate& row : found) {
    if (!IsCarriedOver(state, row.from_seq, row.qualified_us, as_of_us)) continue;
    CarryRow(transaction, staging, row, seq);
  }
  return static_cast<int>(found.size()) < rows ? kForever : found.back().profile;
}

absl::Status CheckRefused(const OutcomeCounts& totals, double max_refused_percent) {
  const int64_t refused =
      totals[Outcome::kRejected] + totals[Outcome::kNotFound] + totals[Outcome::kAmbiguous];
  const int64_t total = totals.Total();
  if (total == 0 && max_refused_percent < 100) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kReplaceRefused,
                     "replace not published: it has no records; to empty the audience, begin it "
                     "with max_refused_percent 100");
  }
  if (static_cast<double>(refused) * 100 <= max_refused_percent * static_cast<double>(total)) {
    return absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kReplaceRefused,
                   absl::StrCat("replace not published: ", refused, " of ", total,
                                " records were refused, allowed ", max_refused_percent,
                                " %; open the stream again with a larger max_refused_percent and "
                                "finish it, or give it up with AbandonReplace or "
                                "DeleteWriteStream"));
}

}  // namespace

std::optional<ReplaceState> FindReplace(Database& db, std::string_view stream) {
  auto staging = FindStaging(db, stream);
  if (!staging.has_value()) return std::nullopt;
  return std::move(staging->state);
}

absl::Status BeginReplace(Transaction& transaction, std::string_view stream,
                          const ReplaceOptions& options) {
  if (FindStaging(transaction.db(), stream).has_value()) return absl::OkStatus();
  const auto audience = FindAudience(transaction.db(), options.audience);
  RETURN_IF_ERROR(CheckAudience(audience, options, stream));
  const int64_t as_of_us = options.as_of_us.value_or(transaction.commit_us());
  if (as_of_us > transaction.commit_us() + kDayUs) {
    return absl::InvalidArgumentError("replace.as_of: more than 24 hours ahead");
  }
  auto& edits = transaction.Overlay<MembershipEdits>();
  const AudienceState& state = edits.State(audience->number);
  const bool nothing_newer = state.max_qualified_us < as_of_us && state.as_of_us < as_of_us;
  const int64_t generation = TakeGeneration(transaction, audience->number);
  StatementScope begin(transaction.db().Prepared(kBegin));
  begin
      ->BindAll(audience->number.value, stream, generation, as_of_us,
                options.max_refused_percent.value_or(kDefaultMaxRefusedPercent),
                nothing_newer ? kForever : 0, transaction.commit_us())
      .Run();
  edits.Forget(audience->number);
  return absl::OkStatus();
}

void SetMaxRefused(Transaction& transaction, std::string_view stream, double percent) {
  StatementScope set(transaction.db().Prepared(kSetMaxRefused));
  set->BindAll(stream, percent).Run();
}

bool CarryReplace(Transaction& transaction, std::string_view stream, int rows) {
  const auto staging = FindStaging(transaction.db(), stream);
  if (!staging.has_value() || staging->state.carried) return false;
  const AudienceState& state = transaction.Overlay<MembershipEdits>().State(staging->audience);
  const int64_t carried = CarryRows(transaction, *staging, state, rows);
  SetCarried(transaction, *staging, carried);
  return carried != kForever;
}

absl::Status PublishReplace(Transaction& transaction, std::string_view stream,
                            const OutcomeCounts& totals) {
  const auto staging = FindStaging(transaction.db(), stream);
  if (!staging.has_value()) {
    return MakeError(
        absl::StatusCode::kNotFound, Reason::kStreamNotFound,
        absl::StrCat("stream ", std::string(stream), ": its staging is gone; start a new replace"));
  }
  const ReplaceOptions& options = staging->state.options;
  RETURN_IF_ERROR(CheckRefused(totals, *options.max_refused_percent));
  while (CarryReplace(transaction, stream)) {
  }
  PublishGeneration(transaction, staging->audience, staging->generation, *options.as_of_us);
  RemoveStaging(transaction, staging->audience);
  return absl::OkStatus();
}

int64_t AbandonReplace(Transaction& transaction, std::string_view stream) {
  const auto staging = FindStaging(transaction.db(), stream);
  if (!staging.has_value()) return 0;
  RemoveStaging(transaction, staging->audience);
  return staging->state.staged;
}

void ExitAll(Transaction& transaction, AudienceNumber audience) {
  const int64_t generation = TakeGeneration(transaction, audience);
  PublishGeneration(transaction, audience, generation, transaction.commit_us());
  RemoveStaging(transaction, audience);
}

}  // namespace passerelle::storage::sqlite
