// Audiences themselves; counts and lists of members are in audience_members.cc.
#include "server/services/audience_service.h"

#include "absl/strings/str_cat.h"
#include "server/convert/audience.h"
#include "server/convert/masks.h"
#include "server/convert/names.h"
#include "server/errors.h"
#include "server/services/call_steps.h"
#include "server/services/pages.h"

namespace passerelle {

absl::Status AudienceService::Serve(CallContext& call, const v1::CreateAudienceRequest& request,
                                    v1::Audience* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  const std::string& id = request.audience_id();
  RETURN_IF_ERROR(CheckId(IdForm::kResource, {"audience_id", id}));
  if (!request.has_audience()) return errors::FieldRequired("audience");
  ASSIGN_OR_RETURN(const storage::Audience wanted, ReadAudience(request.audience(), id));
  ASSIGN_OR_RETURN(const storage::AdminWrite write, CreateWrite(call, request));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, parent.instance));
  const auto written = instance->audiences().CreateAudience(wanted, write);
  if (!written.ok()) {
    return ForResource(written.status(), ToText(AudienceName{parent.instance, id}));
  }
  *response = ToProto(parent, written->value);
  TellCommit(context_, {parent.instance, written->position}, call);
  return absl::OkStatus();
}

absl::Status AudienceService::Serve(CallContext& call, const v1::GetAudienceRequest& request,
                                    v1::Audience* response) const {
  ASSIGN_OR_RETURN(const AudienceName name, ParseAudienceName({"name", request.name()}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {name.instance, request.commit_token()}));
  const auto found = reading.instance->audiences().GetAudience(name.id, reading.context);
  if (!found.ok()) return ForResource(found.status(), request.name());
  *response = ToProto({name.instance}, *found);
  return absl::OkStatus();
}

absl::Status AudienceService::Serve(CallContext& call, const v1::ListAudiencesRequest& request,
                                    v1::ListAudiencesResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent()}}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const auto page,
                   reading.instance->audiences().ListAudiences(pager.request(), reading.context));
  for (const storage::Audience& audience : page.items) {
    *response->add_audiences() = ToProto(parent, audience);
  }
  response->set_next_page_token(pager.Next(page.next));
  return absl::OkStatus();
}

absl::Status AudienceService::Serve(CallContext& call, const v1::UpdateAudienceRequest& request,
                                    v1::Audience* response) const {
  const v1::Audience& patch = request.audience();
  ASSIGN_OR_RETURN(const AudienceName name, ParseAudienceName({"audience.name", patch.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto attempt = [&](const std::string& etag) -> absl::Status {
    ASSIGN_OR_RETURN(const storage::Audience present,
                     instance->audiences().GetAudience(name.id, call.ForReading()));
    v1::Audience merged = ToProto({name.instance}, present);
    RETURN_IF_ERROR(ApplyMask({"audience", patch, request.update_mask()}, &merged));
    ASSIGN_OR_RETURN(const storage::Audience wanted, ReadAudience(merged, name.id));
    ASSIGN_OR_RETURN(const auto written,
                     instance->audiences().UpdateAudience(
                         wanted, UpdateWrite({etag, present.etag}, request.validate_only())));
    *response = ToProto({name.instance}, written.value);
    TellCommit(context_, {name.instance, written.position}, call);
    return absl::OkStatus();
  };
  return ForResource(UpdateInTurn(patch.etag(), attempt), patch.name());
}

absl::Status AudienceService::Serve(CallContext& call, const v1::DeleteAudienceRequest& request,
                                    google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const AudienceName name, ParseAudienceName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  ASSIGN_OR_RETURN(std::vector<std::string> deliveries,
                   instance->logs().DeliveriesOfAudience(name.id, call.ForReading()));
  for (std::string& id : deliveries) id = absl::StrCat("deliveries/", id);
  const auto written =
      instance->audiences().DeleteAudience(name.id, deliveries, DeleteWrite(request));
  if (!written.ok()) return ForResource(written.status(), request.name());
  TellCommit(context_, {name.instance, written->position}, call);
  return absl::OkStatus();
}

}  // namespace passerelle
