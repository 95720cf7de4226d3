#include "server/services/suppression_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/fields.h"
#include "server/convert/identity.h"
#include "server/convert/names.h"
#include "server/convert/suppression.h"
#include "server/errors.h"
#include "server/services/call_steps.h"
#include "server/services/ingest_target.h"
#include "server/services/pages.h"

namespace passerelle {
namespace {

struct ListChange {
  std::string instance;
  storage::SuppressionAck ack;
};

// Imports and deletions are asked for alike.
template <class Request>
absl::StatusOr<ListChange> ChangeList(
    const ServiceContext& context, CallContext& call, const Request& request,
    absl::StatusOr<storage::SuppressionAck> (storage::ReachStore::*change)(
        const storage::SuppressionBatch&, const storage::ReadContext&)) {
  ASSIGN_OR_RETURN(const OpenInstanceTarget target,
                   OpenTarget(context, "parent", request.parent()));
  ASSIGN_OR_RETURN(
      storage::SuppressionBatch batch,
      ReadSuppressions(*target.stores->schema().schema(), target.region, request.rows()));
  batch.more_follows = request.more_follows();
  ListChange done;
  ASSIGN_OR_RETURN(done.ack, (target.stores->reach().*change)(batch, call.ForReading()));
  done.instance = target.stores->id();
  return done;
}

template <class Response>
void Answer(const ServiceContext& context, CallContext& call, const ListChange& done,
            storage::Outcome plain, Response* response) {
  WriteAnswer(done.ack, plain, {response->mutable_rows(), response->mutable_counts()});
  response->set_commit_token(MakeCommitToken(context, done.instance, done.ack.position));
  call.AddTrailer("commit-token", response->commit_token());
}

}  // namespace

absl::Status SuppressionService::Serve(CallContext& call,
                                       const v1::ImportSuppressionsRequest& request,
                                       v1::ImportSuppressionsResponse* response) const {
  ASSIGN_OR_RETURN(const ListChange done,
                   ChangeList(context_, call, request, &storage::ReachStore::ImportSuppressions));
  Answer(context_, call, done, storage::Outcome::kCreated, response);
  return absl::OkStatus();
}

absl::Status SuppressionService::Serve(CallContext& call,
                                       const v1::DeleteSuppressionsRequest& request,
                                       v1::DeleteSuppressionsResponse* response) const {
  ASSIGN_OR_RETURN(const ListChange done,
                   ChangeList(context_, call, request, &storage::ReachStore::DeleteSuppressions));
  Answer(context_, call, done, storage::Outcome::kUpdated, response);
  return absl::OkStatus();
}

absl::Status SuppressionService::Serve(CallContext& call,
                                       const v1::ListSuppressionsRequest& request,
                                       v1::ListSuppressionsResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent()}}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const auto page,
                   reading.instance->reach().ListSuppressions(pager.request(), reading.context));
  for (const auto& entry : page.items) *response->add_suppressions() = ToProto(entry);
  response->set_next_page_token(pager.Next(page.next));
  return absl::OkStatus();
}

absl::Status SuppressionService::Serve(CallContext& call,
                                       const v1::ListQuarantinedAddressesRequest& request,
                                       v1::ListQuarantinedAddressesResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent()}}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const auto page,
                   reading.instance->reach().ListQuarantine(pager.request(), reading.context));
  const auto schema = reading.instance->schema().schema();
  for (const auto& address : page.items) *response->add_addresses() = ToProto(*schema, address);
  response->set_next_page_token(pager.Next(page.next));
  return absl::OkStatus();
}

// The address may be personal data, so the error names its namespace only.
absl::Status SuppressionService::Serve(CallContext& call,
                                       const v1::ReleaseQuarantinedAddressRequest& request,
                                       google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const OpenInstanceTarget target,
                   OpenTarget(context_, "parent", request.parent()));
  if (!request.has_identity()) return errors::FieldRequired("identity");
  RETURN_IF_ERROR(CheckPurpose({"channel", request.channel()}));
  const auto schema = target.stores->schema().schema();
  ASSIGN_OR_RETURN(const StoredIdentity identity,
                   ReadIdentity({"identity", *schema, target.region}, request.identity()));
  const auto released =
      target.stores->reach().ReleaseQuarantine(identity.ns, identity.value, request.channel());
  if (storage::ReasonOf(released.status()) == storage::Reason::kNotFound) {
    return MakeError(v1::ERROR_REASON_RESOURCE_NOT_FOUND,
                     absl::StrCat("identity in namespace ", request.identity().namespace_(),
                                  ": not in quarantine on channel '", request.channel(), "'"));
  }
  if (!released.ok()) return released.status();
  TellCommit(context_, {target.stores->id(), *released}, call);
  return absl::OkStatus();
}

absl::Status SuppressionService::Serve(CallContext& call,
                                       const v1::CreateDenylistEntryRequest& request,
                                       v1::DenylistEntry* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  if (!request.has_denylist_entry()) return errors::FieldRequired("denylist_entry");
  const v1::DenylistEntry& wanted = request.denylist_entry();
  ASSIGN_OR_RETURN(const ProfileName name,
                   ParseProfileName({"denylist_entry.profile", wanted.profile()}));
  if (name.instance != parent.instance) {
    return errors::NameInvalid(
        {"denylist_entry.profile", absl::StrCat("got one of ", ToText(InstanceName{name.instance}),
                                                ", wanted one of ", request.parent())});
  }
  RETURN_IF_ERROR(CheckPurpose({"denylist_entry.channel", wanted.channel()}));
  RETURN_IF_ERROR(CheckLabel({"denylist_entry.reason", wanted.reason()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, parent.instance));
  const auto made =
      instance->reach().CreateDenylistEntry({name.id, wanted.channel(), wanted.reason(), 0});
  if (!made.ok()) return ForResource(made.status(), wanted.profile());
  *response = ToProto(parent, made->value);
  TellCommit(context_, {parent.instance, made->position}, call);
  return absl::OkStatus();
}

absl::Status SuppressionService::Serve(CallContext& call,
                                       const v1::DeleteDenylistEntryRequest& request,
                                       google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const ProfileName name, ParseProfileName({"profile", request.profile()}));
  RETURN_IF_ERROR(CheckPurpose({"channel", request.channel()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto removed = instance->reach().DeleteDenylistEntry(name.id, request.channel());
  if (!removed.ok()) return ForResource(removed.status(), request.profile());
  TellCommit(context_, {name.instance, *removed}, call);
  return absl::OkStatus();
}

absl::Status SuppressionService::Serve(CallContext& call,
                                       const v1::ListDenylistEntriesRequest& request,
                                       v1::ListDenylistEntriesResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent()}}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const auto page,
                   reading.instance->reach().ListDenylist(pager.request(), reading.context));
  for (const auto& entry : page.items) *response->add_denylist_entries() = ToProto(parent, entry);
  response->set_next_page_token(pager.Next(page.next));
  return absl::OkStatus();
}

}  // namespace passerelle
