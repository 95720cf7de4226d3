#include "server/services/profile_service.h"

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/convert/explanation.h"
#include "server/convert/identity.h"
#include "server/convert/names.h"
#include "server/convert/profile.h"
#include "server/errors.h"
#include "server/limits.h"
#include "server/services/call_steps.h"
#include "server/services/pages.h"

namespace passerelle {
namespace {

absl::StatusOr<std::vector<storage::ProfileId>> ReadIds(const v1::BatchGetProfilesRequest& request,
                                                        const InstanceName& parent) {
  const int limit = static_cast<int>(kMaxRecordsPerUnaryBatch);
  if (request.names().empty()) return errors::FieldRequired("names");
  if (request.names_size() > limit) {
    return errors::FieldInvalid(
        {"names", absl::StrCat(request.names_size(), " names, limit ", limit)});
  }
  std::vector<storage::ProfileId> ids;
  for (int i = 0; i < request.names_size(); ++i) {
    const std::string field = absl::StrCat("names[", i, "]");
    ASSIGN_OR_RETURN(const ProfileName name, ParseProfileName({field, request.names(i)}));
    if (name.instance != parent.instance) {
      return errors::NameInvalid(
          {field, absl::StrCat("got one of ", ToText(InstanceName{name.instance}),
                               ", wanted one of ", request.parent())});
    }
    ids.push_back(name.id);
  }
  return ids;
}

// The identity may be personal data, so the error names its namespace only.
absl::Status IdentityNotFound(const v1::Identity& identity) {
  return MakeError(v1::ERROR_REASON_RESOURCE_NOT_FOUND,
                   absl::StrCat("identity in namespace ", identity.namespace_(), ": not found"));
}

absl::StatusOr<storage::ProfileQuery> ReadQuery(const v1::ExplainProfileRequest& request,
                                                const InstanceName& parent,
                                                const IdentityContext& context) {
  storage::ProfileQuery query;
  if (request.has_profile()) {
    ASSIGN_OR_RETURN(const ProfileName name, ParseProfileName({"profile", request.profile()}));
    if (name.instance != parent.instance) {
      return errors::NameInvalid(
          {"profile", absl::StrCat("got one of ", ToText(InstanceName{name.instance}),
                                   ", wanted one of ", request.parent())});
    }
    query.id = name.id;
    return query;
  }
  if (!request.has_identity()) return errors::FieldRequired("profile");
  ASSIGN_OR_RETURN(StoredIdentity identity, ReadIdentity(context, request.identity()));
  query.ns = identity.ns;
  query.value = std::move(identity.value);
  return query;
}

}  // namespace

absl::Status ProfileService::Serve(CallContext& call, const v1::BatchImportProfilesRequest& request,
                                   v1::BatchResult* response) const {
  RETURN_IF_ERROR(passerelle::BatchImportProfiles(context_, request, response));
  call.AddTrailer("commit-token", response->commit_token());
  return absl::OkStatus();
}

absl::Status ProfileService::Serve(CallContext& call, const v1::GetProfileRequest& request,
                                   v1::Profile* response) const {
  ASSIGN_OR_RETURN(const ProfileName name, ParseProfileName({"name", request.name()}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {name.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const auto found,
                   reading.instance->profiles().GetProfiles({name.id}, reading.context));
  if (found.empty()) return errors::ResourceNotFound(request.name());
  const auto schema = reading.instance->schema().schema();
  *response = ToProto({{name.instance}, *schema}, found[0]);
  return absl::OkStatus();
}

absl::Status ProfileService::Serve(CallContext& call, const v1::BatchGetProfilesRequest& request,
                                   v1::BatchGetProfilesResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const std::vector<storage::ProfileId> ids, ReadIds(request, parent));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const auto found,
                   reading.instance->profiles().GetProfiles(ids, reading.context));
  absl::flat_hash_map<int64_t, const storage::Profile*> by_id;
  for (const storage::Profile& profile : found) by_id[profile.id.value] = &profile;
  const auto schema = reading.instance->schema().schema();
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto profile = by_id.find(ids[i].value);
    if (profile == by_id.end()) {
      response->add_missing(request.names(static_cast<int>(i)));
    } else {
      *response->add_profiles() = ToProto({parent, *schema}, *profile->second);
    }
  }
  return absl::OkStatus();
}

absl::Status ProfileService::Serve(CallContext& call, const v1::LookupProfileRequest& request,
                                   v1::Profile* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  if (!request.has_identity()) return errors::FieldRequired("identity");
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const storage::Instance settings, context_.store->GetInstance(parent.instance));
  const auto schema = reading.instance->schema().schema();
  ASSIGN_OR_RETURN(
      const StoredIdentity key,
      ReadIdentity({"identity", *schema, settings.default_region}, request.identity()));
  const absl::Status missing = IdentityNotFound(request.identity());
  const auto id = reading.instance->profiles().LookupProfile(key.ns, key.value, reading.context);
  if (storage::ReasonOf(id.status()) == storage::Reason::kNotFound) return missing;
  if (!id.ok()) return id.status();
  ASSIGN_OR_RETURN(const auto found,
                   reading.instance->profiles().GetProfiles({*id}, reading.context));
  if (found.empty()) return missing;
  *response = ToProto({parent, *schema}, found[0]);
  return absl::OkStatus();
}

absl::Status ProfileService::Serve(CallContext& call, const v1::ListProfilesRequest& request,
                                   v1::ListProfilesResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent()}}));
  storage::ProfileId after;
  if (!pager.after().empty() && !absl::SimpleAtoi(pager.after(), &after.value)) {
    return errors::PageTokenInvalid({"page_token", "not of this list"});
  }
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const auto found, reading.instance->profiles().ListProfiles(
                                         after, pager.limit() + 1, reading.context));
  const auto schema = reading.instance->schema().schema();
  const size_t limit = static_cast<size_t>(pager.limit());
  size_t shown = 0;
  std::size_t bytes = 0;
  while (shown < found.size() && shown < limit && bytes < kMaxPageBytes) {
    v1::Profile* added = response->add_profiles();
    *added = ToProto({parent, *schema}, found[shown++]);
    bytes += added->ByteSizeLong();
  }
  if (shown < found.size()) {
    response->set_next_page_token(pager.Next(absl::StrCat(found[shown - 1].id.value)));
  }
  return absl::OkStatus();
}

absl::Status ProfileService::Serve(CallContext& call, const v1::ExplainProfileRequest& request,
                                   v1::ProfileExplanation* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const storage::Instance settings, context_.store->GetInstance(parent.instance));
  const auto schema = reading.instance->schema().schema();
  ASSIGN_OR_RETURN(const storage::ProfileQuery query,
                   ReadQuery(request, parent, {"identity", *schema, settings.default_region}));
  const auto told = reading.instance->reach().Explain(query, reading.context);
  if (storage::ReasonOf(told.status()) == storage::Reason::kNotFound) {
    return request.has_profile() ? errors::ResourceNotFound(request.profile())
                                 : IdentityNotFound(request.identity());
  }
  if (!told.ok()) return told.status();
  *response = ToProto({parent, *schema}, *told);
  return absl::OkStatus();
}

absl::Status ProfileService::Serve(CallContext& call, const v1::DeleteProfileRequest& request,
                                   google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const ProfileName name, ParseProfileName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto written = instance->profiles().DeleteProfile(name.id, {});
  if (!written.ok()) return ForResource(written.status(), request.name());
  TellCommit(context_, {name.instance, written->position}, call);
  return absl::OkStatus();
}

}  // namespace passerelle
