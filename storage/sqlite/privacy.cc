#include "storage/sqlite/privacy.h"

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/admin_write.h"
#include "storage/sqlite/archive.h"
#include "storage/sqlite/erase_together.h"
#include "storage/sqlite/erasure.h"
#include "storage/sqlite/privacy_rows.h"
#include "storage/sqlite/profile_edits.h"
#include "storage/sqlite/reach_lists.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

using absl::StatusCode;

constexpr char kKind[] = "privacy request";

absl::Status NobodyError() {
  return MakeError(StatusCode::kNotFound, Reason::kNotFound, "there is no such profile");
}

absl::Status CheckKeys(const StoreKeys* keys) {
  if (keys != nullptr && !keys->Keys().empty()) return absl::OkStatus();
  return MakeError(StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing,
                   "there is no master key to hash identities with");
}

// Whom a subject means. One address in clear and as its SHA-256 can be of two profiles: they are
// one person then.
struct Person {
  ProfileId profile;                // 0: nobody is known
  std::vector<ProfileId> profiles;  // all
};

absl::StatusOr<Person> FindPerson(ProfileEdits& edits, const Schema& schema,
                                  const PrivacySubject& subject) {
  Person person;
  if (subject.profile && !edits.Exists(subject.profile)) return NobodyError();
  person.profile = subject.profile;
  const auto add = [&](ProfileId found) {
    auto& all = person.profiles;
    if (found && std::find(all.begin(), all.end(), found) == all.end()) all.push_back(found);
  };
  add(subject.profile);
  for (const PrivacySubject::Identity& identity : subject.identities) {
    const IdentityNamespace* ns = schema.FindNamespace(identity.ns);
    const IdentityNamespace* derived = ns == nullptr ? nullptr : schema.DerivedFrom(*ns);
    const ProfileId owner = edits.Find(identity.ns, identity.value);
    const bool hashed = derived != nullptr && !identity.derived_value.empty();
    const ProfileId other =
        hashed ? edits.Find(derived->number, identity.derived_value) : ProfileId{};
    const ProfileId main = owner ? owner : other;
    if (main && person.profile && main != person.profile && other != person.profile) {
      return MakeError(StatusCode::kInvalidArgument, Reason::kIdentityConflict,
                       "identities: they are of different profiles; ask for each person apart");
    }
    if (!person.profile) person.profile = main;
    add(owner);
    add(other);
  }
  return person;
}

std::vector<IdentityCell> CellsOf(const PrivacySubject& subject, const Schema& schema) {
  std::vector<IdentityCell> cells;
  for (const PrivacySubject::Identity& identity : subject.identities) {
    cells.push_back({identity.ns, identity.value, false});
    const IdentityNamespace* ns = schema.FindNamespace(identity.ns);
    const IdentityNamespace* derived = ns == nullptr ? nullptr : schema.DerivedFrom(*ns);
    if (derived == nullptr || identity.derived_value.empty()) continue;
    cells.push_back({derived->number, identity.derived_value, true});
  }
  return cells;
}

// One creation within its transaction.
class Creation {
 public:
  Creation(Transaction& transaction, InstanceContext& context, const PrivacySubject& subject)
      : transaction_(transaction),
        db_(transaction.db()),
        context_(context),
        subject_(subject),
        schema_(context.schema.Get()) {}

  absl::Status Run(const PrivacyRequest& asked, PrivacyRow& row) {
    RETURN_IF_ERROR(Check(asked));
    auto& edits = transaction_.Overlay<ProfileEdits>();
    ASSIGN_OR_RETURN(const Person person, FindPerson(edits, *schema_, subject_));
    row = {};
    row.number = row.revision = transaction_.NextSeq();
    row.key = context_.store_keys->Keys().front();
    row.request.id = asked.id;
    row.request.kind = asked.kind;
    row.request.state = PrivacyState::kRunning;
    row.request.step = PrivacyStep::kProfile;
    row.request.profile = person.profile;
    row.request.create_us = transaction_.commit_us();
    asked.kind == PrivacyKind::kErase ? Erase(person, row) : Remember(person, row);
    WritePrivacyRequest(db_, row, row.revision);
    row = *LoadPrivacyRequest(db_, row.number);
    return absl::OkStatus();
  }

 private:
  absl::Status Check(const PrivacyRequest& asked) {
    RETURN_IF_ERROR(CheckKeys(context_.store_keys.get()));
    if (FindPrivacyRequest(db_, asked.id).has_value()) return ExistingError(kKind, asked.id);
    if (CountRunningRequests(db_) < kMaxRunningPrivacyRequests) return absl::OkStatus();
    const std::string limit = absl::StrCat(kMaxRunningPrivacyRequests);
    return MakeError(StatusCode::kResourceExhausted, Reason::kLimitReached,
                     absl::StrCat(limit, " privacy requests have not ended; wait for some"),
                     {{"limit", limit}});
  }

  void Erase(const Person& person, PrivacyRow& row) {
    Erasure erasure(transaction_, context_, row.number, row.key);
    for (const IdentityCell& identity : CellsOf(subject_, *schema_)) {
      erasure.EraseIdentity(identity);
    }
    for (const ProfileId profile : person.profiles) erasure.EraseProfile(profile);
    erasure.Seal();
    row.tombstones = erasure.tombstones();
  }

  void Remember(const Person& person, const PrivacyRow& row) {
    std::vector<IdentityCell> identities = CellsOf(subject_, *schema_);
    std::vector<std::vector<std::string>> texts(person.profiles.size());
    for (size_t i = 0; i < person.profiles.size(); ++i) {
      AddPrivacyProfile(db_, row.number, person.profiles[i]);
      for (const IdentityCell& own : ReadIdentities(db_, person.profiles[i], texts[i])) {
        identities.push_back(own);
      }
    }
    const StoreKeys& keys = *context_.store_keys;
    for (const IdentityCell& identity : identities) {
      const NamedIdentity named{NamespaceId(*schema_, identity.ns), identity.value};
      for (std::string& hash : HashesOf(*schema_, keys, row.key, AddressUse::kTombstone, named)) {
        AddPrivacyHash(db_, row.number, {AddressUse::kTombstone, row.key, std::move(hash)});
      }
      for (const uint32_t key : keys.Keys()) {
        for (std::string& hash : HashesOf(*schema_, keys, key, AddressUse::kSuppression, named)) {
          AddPrivacyHash(db_, row.number, {AddressUse::kSuppression, key, std::move(hash)});
        }
      }
    }
  }

  Transaction& transaction_;
  Database& db_;
  InstanceContext& context_;
  const PrivacySubject& subject_;
  const std::shared_ptr<const Schema> schema_;
};

// What is known of the person is needed until the end.
absl::Status UnfinishedError(const PrivacyRequest& request) {
  const bool erases = request.kind == PrivacyKind::kErase;
  return MakeError(
      StatusCode::kFailedPrecondition, Reason::kInUse,
      absl::StrCat("privacy request '", request.id, "' has not ended: ",
                   erases ? "an erasure is tried until all of it is done; `failure` tells what is "
                            "in its way"
                          : "wait until it has"),
      {{"dependents", "its own work"}});
}

absl::Status NoArchiveError(std::string_view id) {
  return MakeError(StatusCode::kNotFound, Reason::kNotFound,
                   absl::StrCat("privacy request '", std::string(id),
                                "' has no archive: it is of another kind, has not succeeded, or "
                                "its archive has expired"));
}

}  // namespace

absl::StatusOr<Written<PrivacyRequest>> SqlitePrivacy::CreateRequest(const PrivacyRequest& request,
                                                                     const PrivacySubject& subject,
                                                                     const AdminWrite& write) {
  PrivacyRow row;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(Creation(transaction, context_, subject).Run(request, row));
    transaction.OnVisible([this](const CommitInfo&) { on_request_(); });
    return absl::OkStatus();
  };
  const auto present = [&](Transaction& transaction) -> absl::Status {
    auto found = FindPrivacyRequest(transaction.db(), request.id);
    if (!found.has_value()) return MissingError(kKind, request.id);
    row = *std::move(found);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const CommitPosition position,
                   WriteAdmin(*context_.profiles, write, decide, present, WriteKind::kRelieving));
  // What fails here is tried again, and told, by the thread that works on requests.
  if (!write.validate_only) JournalErasure(context_, row.number).IgnoreError();
  return Written<PrivacyRequest>{std::move(row.request), position};
}

absl::StatusOr<PrivacyRequest> SqlitePrivacy::GetRequest(std::string_view id,
                                                         const ReadContext& context) const {
  PrivacyRequest request;
  RETURN_IF_ERROR(context_.profiles->Read(context, "privacy requests: get",
                                          [&](const ReadLease& lease) -> absl::Status {
                                            auto found = FindPrivacyRequest(lease.db(), id);
                                            if (!found.has_value()) return MissingError(kKind, id);
                                            request = std::move(found->request);
                                            return absl::OkStatus();
                                          }));
  return request;
}

absl::StatusOr<Page<PrivacyRequest>> SqlitePrivacy::ListRequests(const PageRequest& page,
                                                                 const ReadContext& context) const {
  int64_t after = 0;
  if (!page.after.empty() && !absl::SimpleAtoi(page.after, &after)) {
    return absl::InvalidArgumentError("the page does not begin at a number");
  }
  Page<PrivacyRequest> listed;
  RETURN_IF_ERROR(
      context_.profiles->Read(context, "privacy requests: list", [&](const ReadLease& lease) {
        listed = {};
        std::vector<PrivacyRow> rows = ListPrivacyRequests(lease.db(), after, page.limit + 1);
        const auto kept = std::min(rows.size(), static_cast<size_t>(page.limit));
        if (kept < rows.size() && kept > 0) listed.next = absl::StrCat(rows[kept - 1].number);
        for (size_t i = 0; i < kept; ++i) listed.items.push_back(std::move(rows[i].request));
        return absl::OkStatus();
      }));
  return listed;
}

absl::StatusOr<CommitPosition> SqlitePrivacy::DeleteRequest(std::string_view id,
                                                            const AdminWrite& write) {
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    Database& db = transaction.db();
    const auto found = FindPrivacyRequest(db, id);
    if (!found.has_value()) return MissingError(kKind, id);
    RETURN_IF_ERROR(CheckEtag(write, found->request.etag));
    if (found->request.state == PrivacyState::kRunning) return UnfinishedError(found->request);
    DeletePrivacyRows(db, found->number);
    return absl::OkStatus();
  };
  return WriteAdmin(
      *context_.profiles, write, decide, [](Transaction&) { return absl::OkStatus(); },
      WriteKind::kRelieving);
}

absl::StatusOr<std::string> SqlitePrivacy::ReadArchive(std::string_view id, int64_t offset,
                                                       const ReadContext& context) const {
  const int64_t chunk = offset / kArchiveChunkBytes;
  int64_t bytes = 0;
  std::string sealed;
  RETURN_IF_ERROR(context_.profiles->Read(
      context, "privacy requests: archive", [&](const ReadLease& lease) -> absl::Status {
        const auto found = FindPrivacyRequest(lease.db(), id);
        const int64_t expire_us = found.has_value() ? found->request.archive_expire_us : 0;
        if (expire_us <= absl::ToUnixMicros(context_.clock())) return NoArchiveError(id);
        bytes = found->request.archive_bytes;
        if (offset < bytes) sealed = LoadChunk(lease.db(), found->number, chunk).value_or("");
        return absl::OkStatus();
      }));
  if (offset < 0) return absl::InvalidArgumentError("offset: negative");
  if (offset >= bytes) return std::string();
  const StoreKeys* keys = context_.store_keys.get();
  auto opened = keys == nullptr ? std::nullopt : keys->Open(sealed, ChunkContext(id, chunk));
  const int64_t skip = offset - chunk * kArchiveChunkBytes;
  if (opened.has_value() && skip < static_cast<int64_t>(opened->size())) {
    return opened->substr(static_cast<size_t>(skip));
  }
  return MakeError(StatusCode::kDataLoss, Reason::kDamagedFile,
                   absl::StrCat("the archive of privacy request '", std::string(id),
                                "' cannot be opened: it was sealed with a key that is no longer "
                                "in the key file, or it is damaged; ask for a new one"));
}

}  // namespace passerelle::storage::sqlite
