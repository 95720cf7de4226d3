#include "server/services/privacy_service.h"

#include <openssl/rand.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/convert/hash.h"
#include "server/convert/names.h"
#include "server/convert/privacy.h"
#include "server/errors.h"
#include "server/services/archive_feed.h"
#include "server/services/call_steps.h"
#include "server/services/ingest_target.h"
#include "server/services/pages.h"
#include "storage/privacy_store.h"

namespace passerelle {
namespace {

constexpr char kIdentitiesField[] = "privacy_request.identities";

// A request that can be repeated has the same id again, "r-5b0f1f0e-3c58-..."; others one of chance
// and the day, "r20260504-1f8a03c2d96b4e57". Neither tells who it is about.
absl::StatusOr<std::string> ChooseId(const v1::CreatePrivacyRequestRequest& request,
                                     absl::Time now) {
  if (!request.request_id().empty()) {
    return absl::StrCat("r-", absl::AsciiStrToLower(request.request_id()));
  }
  std::string bytes(8, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) !=
      1) {
    return errors::Internal("no random bytes for the id of a privacy request");
  }
  return absl::StrCat(absl::FormatTime("r%Y%m%d-", now, absl::UTCTimeZone()),
                      absl::BytesToHexString(bytes));
}

// What is kept to know the request again is made of identities that are to be forgotten: without
// the key it must not be possible to try out whose it was. The oldest key is never taken away by
// rotation, so the same request has the same digest after it.
absl::StatusOr<storage::AdminWrite> KeyedWrite(const ServiceContext& context,
                                               const CallContext& call,
                                               const v1::CreatePrivacyRequestRequest& request) {
  ASSIGN_OR_RETURN(storage::AdminWrite write, CreateWrite(call, request));
  if (!write.request.has_value()) return write;
  const uint32_t oldest = context.keys->ids().back();
  const std::string* key = context.keys->FindSubkey(oldest, KeyPurpose::kTombstone);
  const Sha256Digest digest = HmacSha256(*key, write.request->payload_hash);
  write.request->payload_hash.assign(digest.begin(), digest.end());
  return write;
}

// What the store says of a request that it does not begin.
absl::Status ForCreation(const absl::Status& status, const PrivacyRequestName& name,
                         const v1::PrivacyRequest& asked) {
  switch (storage::ReasonOf(status)) {
    case storage::Reason::kNotFound:
      return errors::ResourceNotFound(asked.profile().empty() ? ToText(name) : asked.profile());
    case storage::Reason::kIdentityConflict:
      return errors::FieldInvalid(
          {kIdentitiesField, "they are of different profiles, wanted those of one person"});
    default:
      return ForResource(status, ToText(name));
  }
}

}  // namespace

absl::Status PrivacyService::Serve(CallContext& call,
                                   const v1::CreatePrivacyRequestRequest& request,
                                   v1::PrivacyRequest* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const OpenInstanceTarget target,
                   OpenTarget(context_, "parent", request.parent()));
  ASSIGN_OR_RETURN(const storage::AdminWrite write, KeyedWrite(context_, call, request));
  PrivacyRequestName name{parent.instance, request.privacy_request_id()};
  if (name.id.empty()) {
    ASSIGN_OR_RETURN(name.id, ChooseId(request, context_.clock->Now()));
  }
  RETURN_IF_ERROR(CheckId(IdForm::kInstance, {"privacy_request_id", name.id}));
  if (!request.has_privacy_request()) return errors::FieldRequired("privacy_request");
  storage::PrivacyRequest wanted;
  wanted.id = name.id;
  ASSIGN_OR_RETURN(wanted.kind, ReadPrivacyKind(request.privacy_request()));
  const auto schema = target.stores->schema().schema();
  ASSIGN_OR_RETURN(const storage::PrivacySubject subject,
                   ReadPrivacySubject({parent, *schema, target.region}, request.privacy_request()));
  const auto made = target.stores->privacy().CreateRequest(wanted, subject, write);
  if (!made.ok()) return ForCreation(made.status(), name, request.privacy_request());
  *response = ToProto(parent, made->value);
  TellCommit(context_, {parent.instance, made->position}, call);
  return absl::OkStatus();
}

absl::Status PrivacyService::Serve(CallContext& call, const v1::GetPrivacyRequestRequest& request,
                                   v1::PrivacyRequest* response) const {
  ASSIGN_OR_RETURN(const PrivacyRequestName name,
                   ParsePrivacyRequestName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto found = instance->privacy().GetRequest(name.id, call.ForReading());
  if (!found.ok()) return ForResource(found.status(), request.name());
  *response = ToProto({name.instance}, *found);
  return absl::OkStatus();
}

absl::Status PrivacyService::Serve(CallContext& call, const v1::ListPrivacyRequestsRequest& request,
                                   v1::ListPrivacyRequestsResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent()}}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, parent.instance));
  ASSIGN_OR_RETURN(const auto page,
                   instance->privacy().ListRequests(pager.request(), call.ForReading()));
  for (const auto& item : page.items) *response->add_privacy_requests() = ToProto(parent, item);
  response->set_next_page_token(pager.Next(page.next));
  return absl::OkStatus();
}

absl::Status PrivacyService::Serve(CallContext& call,
                                   const v1::DeletePrivacyRequestRequest& request,
                                   google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const PrivacyRequestName name,
                   ParsePrivacyRequestName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto deleted = instance->privacy().DeleteRequest(name.id, DeleteWrite(request));
  if (storage::ReasonOf(deleted.status()) == storage::Reason::kInUse) {
    return errors::ResourceInUse(request.name(), {"it runs: wait for its end"});
  }
  if (!deleted.ok()) return ForResource(deleted.status(), request.name());
  TellCommit(context_, {name.instance, *deleted}, call);
  return absl::OkStatus();
}

grpc::ServerWriteReactor<v1::DownloadArchiveResponse>* PrivacyService::DownloadArchive(
    grpc::CallbackServerContext* context, const v1::DownloadArchiveRequest* request) {
  return StartFeed(door_, context, {"PrivacyService/DownloadArchive", request},
                   MakeArchiveFeed(context_, *request));
}

}  // namespace passerelle
