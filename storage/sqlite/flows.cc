#include "storage/sqlite/flows.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/admin_write.h"
#include "storage/sqlite/audience_rows.h"
#include "storage/sqlite/destination_rows.h"
#include "storage/sqlite/membership.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

using absl::StatusCode;

constexpr char kResource[] = "destination";

absl::Status FieldError(StatusCode code, Reason reason, std::string field, absl::string_view why) {
  std::string message = absl::StrCat(field, ": ", why);
  return MakeError(code, reason, std::move(message), {{"field", std::move(field)}});
}

absl::Status UnknownNamespace(std::string field, const std::string& id) {
  return FieldError(StatusCode::kInvalidArgument, Reason::kUnknownNamespace, std::move(field),
                    absl::StrCat("there is no identity namespace '", id, "'"));
}

absl::Status ResolveMapping(const Schema& schema, const std::string& path, FieldMapping& mapping) {
  mapping.attribute_number = {};
  mapping.namespace_number = {};
  if (!mapping.writable_identity.empty()) {
    const auto* ns = schema.FindNamespace(mapping.writable_identity);
    const std::string field = path + ".writable_identity";
    if (ns == nullptr) return UnknownNamespace(field, mapping.writable_identity);
    mapping.namespace_number = ns->number;
    return absl::OkStatus();
  }
  const Attribute* attribute = schema.FindAttribute(mapping.attribute);
  const std::string field = path + ".attribute";
  if (attribute == nullptr) {
    return FieldError(StatusCode::kInvalidArgument, Reason::kUnknownAttribute, field,
                      absl::StrCat("there is no attribute '", mapping.attribute, "'"));
  }
  if (attribute->read_only_for_sync) {
    return FieldError(
        StatusCode::kFailedPrecondition, Reason::kAttributeNotWritable, field,
        absl::StrCat("attribute '", mapping.attribute, "' is written by imports only"));
  }
  mapping.attribute_number = attribute->number;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<NamespaceNumber>> ResolveOrder(const Schema& schema,
                                                          const Destination& destination) {
  std::vector<NamespaceNumber> order;
  for (const std::string& id : destination.namespace_order) {
    const auto* ns = schema.FindNamespace(id);
    if (ns == nullptr) {
      return UnknownNamespace(absl::StrCat("namespace_order[", order.size(), "]"), id);
    }
    order.push_back(ns->number);
  }
  return order;
}

absl::Status ResolveAudiences(Transaction& transaction, Destination& destination) {
  for (size_t i = 0; i < destination.audiences.size(); ++i) {
    DestinationAudience& named = destination.audiences[i];
    const Audience audience =
        FindOrCreateListAudience(transaction, named.audience, named.source_id);
    if (audience.kind != AudienceKind::kList) {
      return FieldError(StatusCode::kFailedPrecondition, Reason::kAudienceNotAList,
                        absl::StrCat("audiences[", i, "].audience"),
                        absl::StrCat("audience '", named.audience, "' is computed, wanted a list"));
    }
    named.number = audience.number;
  }
  return absl::OkStatus();
}

// Finds (or makes) what it names, and stores it.
absl::Status ResolveAndStore(Transaction& transaction, const Schema& schema,
                             Destination& destination, int64_t revision) {
  for (size_t i = 0; i < destination.mappings.size(); ++i) {
    const std::string path = absl::StrCat("mappings[", i, "]");
    RETURN_IF_ERROR(ResolveMapping(schema, path, destination.mappings[i]));
  }
  ASSIGN_OR_RETURN(const auto order, ResolveOrder(schema, destination));
  RETURN_IF_ERROR(ResolveAudiences(transaction, destination));
  destination.update_us = transaction.commit_us();
  destination.etag = EtagOf(revision);
  StoreDestination(transaction.db(), destination, order, revision);
  return absl::OkStatus();
}

bool SameAudience(const DestinationAudience& a, const DestinationAudience& b) {
  return a.source_id == b.source_id && a.audience == b.audience;
}

bool SameMapping(const FieldMapping& a, const FieldMapping& b) {
  return a.source_field == b.source_field && a.attribute == b.attribute &&
         a.writable_identity == b.writable_identity && a.transform == b.transform &&
         a.mandatory == b.mandatory && a.policy == b.policy;
}

template <class T, class Same>
bool SameAll(const std::vector<T>& a, const std::vector<T>& b, Same same) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

// True if an open stream may go on: nothing that decides rows differs.
bool SameRules(const Destination& a, const Destination& b) {
  return a.on_conflict == b.on_conflict && a.on_unknown == b.on_unknown &&
         a.on_unmap == b.on_unmap && a.record_applied == b.record_applied &&
         a.namespace_order == b.namespace_order &&
         SameAll(a.audiences, b.audiences, SameAudience) &&
         SameAll(a.mappings, b.mappings, SameMapping);
}

// After `updated` was stored: members of the audiences it no longer names leave.
void ExitRemoved(Transaction& transaction, const Destination& before, const Destination& updated) {
  if (updated.sync_type != SyncType::kAudienceSync || updated.on_unmap != OnUnmap::kExit) return;
  std::vector<AudienceNumber> removed;
  for (const DestinationAudience& named : before.audiences) {
    if (!IsFilled(transaction.db(), named.number)) removed.push_back(named.number);
  }
  std::sort(removed.begin(), removed.end());
  removed.erase(std::unique(removed.begin(), removed.end()), removed.end());
  for (const AudienceNumber audience : removed) ExitAll(transaction, audience);
}

absl::Status Load(Transaction& transaction, std::string_view id, Destination& destination) {
  auto present = LoadDestination(transaction.db(), id);
  if (!present.has_value()) return MissingError(kResource, id);
  destination = *std::move(present);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Written<Destination>> SqliteFlows::CreateDestination(const Destination& destination,
                                                                    const AdminWrite& write) {
  Destination result;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    if (LoadDestination(transaction.db(), destination.id).has_value()) {
      return ExistingError(kResource, destination.id);
    }
    result = destination;
    result.number = {transaction.NextSeq()};
    result.revision = transaction.NextSeq();
    result.create_us = transaction.commit_us();
    result.state = FlowState::kActive;
    return ResolveAndStore(transaction, *context_.schema.Get(), result, result.revision);
  };
  const auto present = [&](Transaction& transaction) {
    return Load(transaction, destination.id, result);
  };
  ASSIGN_OR_RETURN(const auto position, WriteAdmin(*context_.profiles, write, decide, present));
  return Written<Destination>{std::move(result), position};
}

absl::StatusOr<Written<Destination>> SqliteFlows::UpdateDestination(const Destination& destination,
                                                                    const AdminWrite& write) {
  Destination result;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    Destination before;
    RETURN_IF_ERROR(Load(transaction, destination.id, before));
    RETURN_IF_ERROR(CheckEtag(write, before.etag));
    const int64_t revision = transaction.NextSeq();
    result = destination;
    result.number = before.number;
    result.target = before.target;
    result.sync_type = before.sync_type;
    result.state = before.state;
    result.create_us = before.create_us;
    result.revision = SameRules(before, result) ? before.revision : revision;
    RETURN_IF_ERROR(ResolveAndStore(transaction, *context_.schema.Get(), result, revision));
    ExitRemoved(transaction, before, result);
    return absl::OkStatus();
  };
  const auto present = [&](Transaction& transaction) {
    return Load(transaction, destination.id, result);
  };
  ASSIGN_OR_RETURN(const auto position, WriteAdmin(*context_.profiles, write, decide, present));
  return Written<Destination>{std::move(result), position};
}

absl::StatusOr<Written<Destination>> SqliteFlows::SetDestinationState(std::string_view id,
                                                                      FlowState state) {
  Destination result;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(Load(transaction, id, result));
    if (result.state == state) return absl::OkStatus();
    const int64_t revision = transaction.NextSeq();
    result.state = state;
    result.update_us = transaction.commit_us();
    result.etag = EtagOf(revision);
    SetDestinationStateRow(transaction.db(), result, revision);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const auto position, context_.profiles->Write(decide, WriteKind::kRelieving));
  return Written<Destination>{std::move(result), position};
}

absl::StatusOr<Written<Destination>> SqliteFlows::DeleteDestination(std::string_view id,
                                                                    const AdminWrite& write) {
  Destination result;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(Load(transaction, id, result));
    RETURN_IF_ERROR(CheckEtag(write, result.etag));
    if (result.state != FlowState::kPaused) return NotPausedError(kResource, id);
    DeleteDestinationRows(transaction.db(), result.number);
    return absl::OkStatus();
  };
  const auto present = [&](Transaction& transaction) {
    if (!Load(transaction, id, result).ok()) result.id = std::string(id);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const auto position,
                   WriteAdmin(*context_.profiles, write, decide, present, WriteKind::kRelieving));
  return Written<Destination>{std::move(result), position};
}

absl::StatusOr<Destination> SqliteFlows::GetDestination(std::string_view id,
                                                        const ReadContext& context) const {
  std::optional<Destination> found;
  RETURN_IF_ERROR(context_.profiles->Read(context, "destinations: get", [&](const auto& lease) {
    found = LoadDestination(lease.db(), id);
    return absl::OkStatus();
  }));
  if (!found.has_value()) return MissingError(kResource, id);
  return *std::move(found);
}

absl::StatusOr<Page<Destination>> SqliteFlows::ListDestinations(const PageRequest& page,
                                                                const ReadContext& context) const {
  Page<Destination> result;
  RETURN_IF_ERROR(context_.profiles->Read(context, "destinations: list", [&](const auto& lease) {
    result = PageOf(LoadDestinations(lease.db(), OneMore(page)), page.limit);
    return absl::OkStatus();
  }));
  return result;
}

}  // namespace passerelle::storage::sqlite
