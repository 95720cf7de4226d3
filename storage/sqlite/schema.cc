#include "storage/sqlite/schema.h"

#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/acting.h"
#include "storage/reason.h"
#include "storage/sqlite/admin_write.h"
#include "storage/sqlite/columns.h"
#include "storage/sqlite/journal_replay.h"
#include "storage/sqlite/pending_revisit.h"
#include "storage/sqlite/schema_rows.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

using absl::StatusCode;

absl::Status LimitError(std::string_view what, int64_t limit) {
  return MakeError(
      StatusCode::kResourceExhausted, Reason::kLimitReached,
      absl::StrCat("the instance has ", limit, " ", std::string(what), ", which is the limit"),
      {{"limit", absl::StrCat(limit)}});
}

int64_t RevisionOf(const std::string& etag) {
  int64_t revision = 0;
  std::from_chars(etag.data(), etag.data() + etag.size(), revision);
  return revision;
}

// What a repeated request is answered: the present resource, or what its deletion answered.
template <class T>
T PresentOr(const T* present, const std::string& id) {
  if (present != nullptr) return *present;
  T gone;
  gone.id = id;
  return gone;
}

}  // namespace

absl::Status PrepareSchema(InstanceContext& context) {
  RETURN_IF_ERROR(context.profiles->Read({}, "schema: read", [&](const ReadLease& lease) {
    context.schema.Set(LoadSchema(lease.db()));
    return absl::OkStatus();
  }));
  if (!context.schema.Get()->namespaces().empty()) return absl::OkStatus();
  // Whoever comes first has not asked for it.
  const ActingScope nobody(nullptr);
  return context.profiles
      ->Write(
          [&](Transaction& transaction) {
            InsertBuiltInNamespaces(transaction);
            // What it says was erased in an instance of this name that is gone.
            if (const auto& journal = context.journal; journal != nullptr) {
              RememberJournal(transaction.db(), *journal, journal->last());
            }
            context.schema.Set(LoadSchema(transaction.db()));
            return absl::OkStatus();
          },
          WriteKind::kRelieving)
      .status();
}

// Built from the rows before the commit and shown after it; a schema change is alone in its
// transaction, so that nobody decides by the old one in between.
void SqliteSchema::PublishSchema(Transaction& transaction, int64_t revision) {
  SetSchemaRevision(transaction.db(), revision);
  auto changed = LoadSchema(transaction.db());
  transaction.OnCommitted(
      [this, changed = std::move(changed)](const CommitInfo&) { context_.schema.Set(changed); });
}

absl::StatusOr<Written<Attribute>> SqliteSchema::WriteAttribute(
    const std::string& id, const AdminWrite& write,
    absl::FunctionRef<absl::StatusOr<Attribute>(Transaction&, const Schema&)> decide,
    WriteKind kind) {
  Attribute result;
  ASSIGN_OR_RETURN(const CommitPosition position,
                   WriteAdmin(
                       *context_.profiles, write,
                       [&](Transaction& transaction) -> absl::Status {
                         ASSIGN_OR_RETURN(result, decide(transaction, *context_.schema.Get()));
                         PublishSchema(transaction, RevisionOf(result.etag));
                         return absl::OkStatus();
                       },
                       [&](Transaction&) {
                         const auto schema = context_.schema.Get();
                         result = PresentOr(schema->FindAttribute(id), id);
                         return absl::OkStatus();
                       },
                       kind));
  return Written<Attribute>{std::move(result), position};
}

absl::StatusOr<Written<Attribute>> SqliteSchema::CreateAttribute(const Attribute& attribute,
                                                                 const AdminWrite& write) {
  const auto decide = [&](Transaction& transaction,
                          const Schema& schema) -> absl::StatusOr<Attribute> {
    if (schema.FindAttribute(attribute.id) != nullptr) {
      return ExistingError("attribute", attribute.id);
    }
    Database& db = transaction.db();
    const int64_t made = CountAttributes(db);
    if (made >= kAttributesMax) return LimitError("attributes, deleted ones included", made);
    const int64_t revision = transaction.NextSeq();
    Attribute created = attribute;
    created.number = {made + 1};
    created.create_us = created.update_us = transaction.commit_us();
    created.etag = EtagOf(revision);
    InsertAttribute(db, created, revision);
    AddAttributeColumn(db, created.number, created.type);
    db.ForgetGenerated();
    if (created.consent.has_value()) OrderRevisit(db);
    return created;
  };
  auto created = WriteAttribute(attribute.id, write, decide);
  if (created.ok() && attribute.consent.has_value()) StartRevisit(context_);
  return created;
}

absl::StatusOr<Written<Attribute>> SqliteSchema::UpdateAttribute(const Attribute& attribute,
                                                                 const AdminWrite& write) {
  const auto decide = [&](Transaction& transaction,
                          const Schema& schema) -> absl::StatusOr<Attribute> {
    const Attribute* present = schema.FindAttribute(attribute.id);
    if (present == nullptr) return MissingError("attribute", attribute.id);
    RETURN_IF_ERROR(CheckEtag(write, present->etag));
    const int64_t revision = transaction.NextSeq();
    Attribute updated = *present;
    updated.display_name = attribute.display_name;
    updated.personal = attribute.personal;
    updated.read_only_for_sync = attribute.read_only_for_sync;
    updated.update_us = transaction.commit_us();
    updated.etag = EtagOf(revision);
    UpdateAttributeRow(transaction.db(), updated, revision);
    return updated;
  };
  return WriteAttribute(attribute.id, write, decide);
}

absl::StatusOr<Written<Attribute>> SqliteSchema::DeleteAttribute(std::string_view id,
                                                                 const AdminWrite& write) {
  const auto decide = [&](Transaction& transaction,
                          const Schema& schema) -> absl::StatusOr<Attribute> {
    const Attribute* present = schema.FindAttribute(id);
    if (present == nullptr) return MissingError("attribute", id);
    RETURN_IF_ERROR(CheckEtag(write, present->etag));
    const auto dependents = DestinationsOf(transaction.db(), present->number);
    if (!dependents.empty()) return InUseError("attribute", id, dependents);
    const int64_t revision = transaction.NextSeq();
    Attribute deleted = *present;
    deleted.update_us = transaction.commit_us();
    deleted.etag = EtagOf(revision);
    MarkAttributeDeleted(transaction.db(), deleted.number, deleted.update_us, revision);
    return deleted;
  };
  return WriteAttribute(std::string(id), write, decide, WriteKind::kRelieving);
}

absl::StatusOr<Written<IdentityNamespace>> SqliteSchema::WriteNamespace(
    const std::string& id, const AdminWrite& write,
    absl::FunctionRef<absl::StatusOr<IdentityNamespace>(Transaction&, const Schema&)> decide,
    WriteKind kind) {
  IdentityNamespace result;
  ASSIGN_OR_RETURN(const CommitPosition position,
                   WriteAdmin(
                       *context_.profiles, write,
                       [&](Transaction& transaction) -> absl::Status {
                         ASSIGN_OR_RETURN(result, decide(transaction, *context_.schema.Get()));
                         PublishSchema(transaction, RevisionOf(result.etag));
                         return absl::OkStatus();
                       },
                       [&](Transaction&) {
                         const auto schema = context_.schema.Get();
                         result = PresentOr(schema->FindNamespace(id), id);
                         return absl::OkStatus();
                       },
                       kind));
  return Written<IdentityNamespace>{std::move(result), position};
}

absl::StatusOr<Written<IdentityNamespace>> SqliteSchema::CreateNamespace(
    const IdentityNamespace& ns, const AdminWrite& write) {
  const auto decide = [&](Transaction& transaction,
                          const Schema& schema) -> absl::StatusOr<IdentityNamespace> {
    if (schema.FindNamespace(ns.id) != nullptr) return ExistingError("namespace", ns.id);
    if (schema.namespaces().size() >= kNamespacesMax) {
      return LimitError("identity namespaces", kNamespacesMax);
    }
    NamespaceNumber clear;
    if (!ns.derived_from.empty()) {
      const IdentityNamespace* from = schema.FindNamespace(ns.derived_from);
      if (from == nullptr) {
        return MakeError(
            StatusCode::kInvalidArgument, Reason::kUnknownNamespace,
            absl::StrCat("derived_from: there is no namespace '", ns.derived_from, "'"),
            {{"field", "derived_from"}});
      }
      clear = from->number;
    }
    const int64_t revision = transaction.NextSeq();
    IdentityNamespace created = ns;
    created.number = TakeNamespaceNumber(transaction.db());
    created.built_in = false;
    created.create_us = transaction.commit_us();
    created.etag = EtagOf(revision);
    InsertNamespace(transaction.db(), created, clear, revision);
    return created;
  };
  return WriteNamespace(ns.id, write, decide);
}

absl::StatusOr<Written<IdentityNamespace>> SqliteSchema::UpdateNamespace(
    const IdentityNamespace& ns, const AdminWrite& write) {
  const auto decide = [&](Transaction& transaction,
                          const Schema& schema) -> absl::StatusOr<IdentityNamespace> {
    const IdentityNamespace* present = schema.FindNamespace(ns.id);
    if (present == nullptr) return MissingError("namespace", ns.id);
    RETURN_IF_ERROR(CheckEtag(write, present->etag));
    const int64_t revision = transaction.NextSeq();
    IdentityNamespace updated = *present;
    updated.display_name = ns.display_name;
    updated.etag = EtagOf(revision);
    UpdateNamespaceRow(transaction.db(), updated, revision);
    return updated;
  };
  return WriteNamespace(ns.id, write, decide);
}

absl::StatusOr<Written<IdentityNamespace>> SqliteSchema::DeleteNamespace(std::string_view id,
                                                                         const AdminWrite& write) {
  const auto decide = [&](Transaction& transaction,
                          const Schema& schema) -> absl::StatusOr<IdentityNamespace> {
    const IdentityNamespace* present = schema.FindNamespace(id);
    if (present == nullptr) return MissingError("namespace", id);
    RETURN_IF_ERROR(CheckEtag(write, present->etag));
    if (present->built_in) return InUseError("namespace", id, {"the service (it is built in)"});
    const auto users = UsersOf(transaction.db(), present->number);
    if (!users.empty()) return InUseError("namespace", id, users);
    IdentityNamespace deleted = *present;
    deleted.etag = EtagOf(transaction.NextSeq());
    DeleteNamespaceRow(transaction.db(), deleted.number);
    return deleted;
  };
  return WriteNamespace(std::string(id), write, decide, WriteKind::kRelieving);
}

}  // namespace passerelle::storage::sqlite
