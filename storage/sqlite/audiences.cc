#include "storage/sqlite/audiences.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/admin_write.h"
#include "storage/sqlite/audience_rows.h"
#include "storage/sqlite/member_changes.h"
#include "storage/sqlite/member_reads.h"
#include "storage/sqlite/membership_sweep.h"
#include "storage/sqlite/push.h"
#include "storage/sqlite/replace.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kResource[] = "audience";

constexpr char kRename[] =
    "UPDATE audience SET display_name = ?2, update_us = ?3, revision = ?4 WHERE number = ?1";
constexpr char kMarkDeleted[] =
    "UPDATE audience SET deleted = 1, update_us = ?2, revision = ?3 WHERE number = ?1";
constexpr char kDependents[] =
    "SELECT 'destinations/' || d.id FROM destination_audience m"
    " JOIN destination d ON d.number = m.destination WHERE m.audience = ?1"
    " UNION SELECT 'sources/' || s.id FROM source s, json_each(s.audiences) a WHERE a.value = ?2"
    " ORDER BY 1";

std::vector<std::string> DependentsOf(Database& db, const Audience& audience,
                                      const std::vector<std::string>& deliveries) {
  std::vector<std::string> dependents;
  StatementScope list(db.Prepared(kDependents));
  list->BindAll(audience.number.value, audience.id);
  while (list->Step()) dependents.emplace_back(list->Text(0));
  dependents.insert(dependents.end(), deliveries.begin(), deliveries.end());
  return dependents;
}

// The audience if it exists and has the etag that the write wants.
absl::StatusOr<Audience> FindForWrite(Transaction& transaction, std::string_view id,
                                      const AdminWrite& write) {
  auto found = FindAudience(transaction.db(), id);
  if (!found.has_value()) return MissingError(kResource, id);
  RETURN_IF_ERROR(CheckEtag(write, found->etag));
  return *std::move(found);
}

// For a request id that is used again.
absl::Status FindPresent(Transaction& transaction, std::string_view id, Audience& present) {
  auto found = FindAudience(transaction.db(), id);
  if (!found.has_value()) return MissingError(kResource, id);
  present = *std::move(found);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Written<Audience>> SqliteAudiences::CreateAudience(const Audience& audience,
                                                                  const AdminWrite& write) {
  Audience made;
  ASSIGN_OR_RETURN(
      const CommitPosition position,
      WriteAdmin(
          *context_.profiles, write,
          [&](Transaction& transaction) {
            if (FindAudience(transaction.db(), audience.id).has_value()) {
              return ExistingError(kResource, audience.id);
            }
            made = CreateListAudience(transaction, audience.id, audience.display_name);
            return absl::OkStatus();
          },
          [&](Transaction& transaction) { return FindPresent(transaction, audience.id, made); }));
  return Written<Audience>{std::move(made), position};
}

absl::StatusOr<Written<Audience>> SqliteAudiences::UpdateAudience(const Audience& audience,
                                                                  const AdminWrite& write) {
  Audience updated;
  const auto decide = [&](Transaction& transaction) {
    ASSIGN_OR_RETURN(const Audience found, FindForWrite(transaction, audience.id, write));
    {
      StatementScope rename(transaction.db().Prepared(kRename));
      rename
          ->BindAll(found.number.value, audience.display_name, transaction.commit_us(),
                    transaction.NextSeq())
          .Run();
    }
    return FindPresent(transaction, audience.id, updated);
  };
  ASSIGN_OR_RETURN(const CommitPosition position,
                   WriteAdmin(*context_.profiles, write, decide, [&](Transaction& transaction) {
                     return FindPresent(transaction, audience.id, updated);
                   }));
  return Written<Audience>{std::move(updated), position};
}

// With a request id used before, the audience is gone already: its id is the answer again.
absl::StatusOr<Written<Audience>> SqliteAudiences::DeleteAudience(
    std::string_view id, const std::vector<std::string>& deliveries, const AdminWrite& write) {
  Audience gone;
  gone.id = std::string(id);
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(gone, FindForWrite(transaction, id, write));
    const auto dependents = DependentsOf(transaction.db(), gone, deliveries);
    if (!dependents.empty()) return InUseError(kResource, id, dependents);
    ExitAll(transaction, gone.number);
    StatementScope mark(transaction.db().Prepared(kMarkDeleted));
    mark->BindAll(gone.number.value, transaction.commit_us(), transaction.NextSeq()).Run();
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const CommitPosition position,
                   WriteAdmin(
                       *context_.profiles, write, decide,
                       [](Transaction&) { return absl::OkStatus(); }, WriteKind::kRelieving));
  if (!write.validate_only) StartMembershipSweep(*context_.profiles);
  return Written<Audience>{std::move(gone), position};
}

absl::StatusOr<Audience> SqliteAudiences::GetAudience(std::string_view id,
                                                      const ReadContext& context) const {
  std::optional<Audience> found;
  RETURN_IF_ERROR(context_.profiles->Read(context, "audiences: get", [&](const ReadLease& lease) {
    found = FindAudience(lease.db(), id);
    return found.has_value() ? absl::OkStatus() : MissingError(kResource, id);
  }));
  return *std::move(found);
}

absl::StatusOr<Page<Audience>> SqliteAudiences::ListAudiences(const PageRequest& page,
                                                              const ReadContext& context) const {
  std::vector<Audience> found;
  RETURN_IF_ERROR(context_.profiles->Read(context, "audiences: list", [&](const ReadLease& lease) {
    found = FindAudiences(lease.db(), OneMore(page));
    return absl::OkStatus();
  }));
  return PageOf(std::move(found), page.limit);
}

absl::Status SqliteAudiences::SubmitPush(PushBatch& batch, Done<WriteAck>& done) {
  auto made = std::make_unique<PushRequest>(context_, rules_, batch, done);
  PushRequest& push = *made;
  std::unique_ptr<WriteRequest> request = std::move(made);
  absl::Status status = context_.profiles->writer().Submit(std::move(request));
  if (!status.ok()) push.GiveBack(batch, done);
  return status;
}

absl::StatusOr<AudienceMoment> SqliteAudiences::MomentOf(std::string_view id,
                                                         std::optional<int64_t> as_of_us,
                                                         const ReadContext& context) const {
  return sqlite::MomentOf(*context_.profiles, id, as_of_us, context);
}

absl::StatusOr<MemberCount> SqliteAudiences::CountMembers(const AudienceMoment& moment,
                                                          absl::Span<const Output> reaches,
                                                          const ReadContext& context) const {
  return sqlite::CountMembers(context_, moment, reaches, context);
}

absl::StatusOr<std::optional<MemberPosition>> SqliteAudiences::ReadMembers(
    const AudienceMoment& moment, const Output& output, MemberPosition position, int32_t limit,
    MemberSink sink, const ReadContext& context) const {
  return sqlite::ReadMembers(context_, moment, output, position, limit, sink, context);
}

absl::StatusOr<std::unique_ptr<MemberChanges>> SqliteAudiences::ReadChanges(
    const AudienceMoment& from, const AudienceMoment& to, const Output& output,
    MemberPosition position) const {
  return MakeMemberChanges(context_, from, to, output, position);
}

}  // namespace passerelle::storage::sqlite
