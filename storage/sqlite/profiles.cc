#include "storage/sqlite/profiles.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>

#include "storage/reason.h"
#include "storage/sqlite/membership.h"
#include "storage/sqlite/profile_edits.h"
#include "storage/sqlite/profile_reader.h"
#include "storage/sqlite/profile_updates.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kLookUp[] = "SELECT profile FROM identity WHERE namespace = ?1 AND value = ?2";
constexpr char kIdsAfter[] = "SELECT id FROM profile WHERE id > ?1 ORDER BY id LIMIT ?2";
constexpr size_t kLookupsPerRead = 2'000;

absl::Status MissingProfile() {
  return MakeError(absl::StatusCode::kNotFound, Reason::kNotFound, "there is no such profile");
}

std::vector<ProfileId> IdsAfter(Database& db, ProfileId after, int32_t limit) {
  std::vector<ProfileId> ids;
  StatementScope get(db.Prepared(kIdsAfter));
  get->BindInt(1, after.value).BindInt(2, limit);
  while (get->Step()) ids.push_back(ProfileId{get->Int(0)});
  return ids;
}

std::vector<Profile> ReadAll(Database& db, const Schema& schema, absl::Span<const ProfileId> ids) {
  std::vector<Profile> profiles;
  ProfileReader reader(db, schema);
  for (ProfileId id : ids) {
    Profile profile;
    if (reader.Read(id, profile)) profiles.push_back(std::move(profile));
  }
  return profiles;
}

}  // namespace

absl::Status SqliteProfiles::SubmitUpdates(UpdateBatch& batch, Done<WriteAck>& done) {
  auto made = std::make_unique<UpdateRequest>(context_, rules_, batch, done);
  UpdateRequest& update = *made;
  std::unique_ptr<WriteRequest> request = std::move(made);
  absl::Status status = context_.profiles->writer().Submit(std::move(request));
  if (!status.ok()) update.GiveBack(batch, done);
  return status;
}

absl::StatusOr<std::vector<Profile>> SqliteProfiles::GetProfiles(absl::Span<const ProfileId> ids,
                                                                 const ReadContext& context) const {
  const std::shared_ptr<const Schema> schema = context_.schema.Get();
  std::vector<Profile> profiles;
  RETURN_IF_ERROR(context_.profiles->Read(context, "profiles: get", [&](const ReadLease& lease) {
    profiles = ReadAll(lease.db(), *schema, ids);
    return absl::OkStatus();
  }));
  return profiles;
}

absl::StatusOr<ProfileId> SqliteProfiles::LookupProfile(NamespaceNumber ns, std::string_view value,
                                                        const ReadContext& context) const {
  ProfileId found;
  RETURN_IF_ERROR(
      context_.profiles->Read(context, "profiles: look up", [&](const ReadLease& lease) {
        StatementScope get(lease.db().Prepared(kLookUp));
        if (!get->BindInt(1, ns.value).BindText(2, value).Step()) return MissingProfile();
        found = ProfileId{get->Int(0)};
        return absl::OkStatus();
      }));
  return found;
}

// In the order of the index, because neighbours share its pages.
absl::StatusOr<std::vector<ProfileId>> SqliteProfiles::LookupProfiles(
    absl::Span<const IdentityCell> identities, const ReadContext& context) const {
  std::vector<size_t> order(identities.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(identities[a].ns.value, identities[a].value) <
           std::tie(identities[b].ns.value, identities[b].value);
  });
  std::vector<ProfileId> found(identities.size());
  for (size_t first = 0; first < order.size(); first += kLookupsPerRead) {
    const size_t end = std::min(order.size(), first + kLookupsPerRead);
    RETURN_IF_ERROR(
        context_.profiles->Read(context, "profiles: look up many", [&](const ReadLease& lease) {
          for (size_t i = first; i < end; ++i) {
            const IdentityCell& identity = identities[order[i]];
            StatementScope get(lease.db().Prepared(kLookUp));
            get->BindInt(1, identity.ns.value).BindText(2, identity.value);
            found[order[i]] = ProfileId{get->Step() ? get->Int(0) : 0};
          }
          return absl::OkStatus();
        }));
  }
  return found;
}

absl::StatusOr<std::vector<Profile>> SqliteProfiles::ListProfiles(
    ProfileId after, int32_t limit, const ReadContext& context) const {
  const std::shared_ptr<const Schema> schema = context_.schema.Get();
  std::vector<Profile> profiles;
  RETURN_IF_ERROR(context_.profiles->Read(context, "profiles: list", [&](const ReadLease& lease) {
    profiles = ReadAll(lease.db(), *schema, IdsAfter(lease.db(), after, limit));
    return absl::OkStatus();
  }));
  return profiles;
}

// With a request id used before the profile is gone already: its id is the answer again.
absl::StatusOr<Written<ProfileId>> SqliteProfiles::DeleteProfile(ProfileId id,
                                                                 const AdminWrite& write) {
  const auto decide = [&](Transaction& transaction) {
    auto& edits = transaction.Overlay<ProfileEdits>();
    if (!edits.Exists(id)) return MissingProfile();
    ExitEverywhere(transaction, id);
    edits.Delete(id);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const CommitPosition position,
                   WriteAdmin(
                       *context_.profiles, write, decide,
                       [](Transaction&) { return absl::OkStatus(); }, WriteKind::kRelieving));
  return Written<ProfileId>{id, position};
}

}  // namespace passerelle::storage::sqlite
