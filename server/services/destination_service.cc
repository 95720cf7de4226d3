#include "server/services/destination_service.h"

#include "absl/strings/str_cat.h"
#include "server/convert/destination.h"
#include "server/convert/masks.h"
#include "server/convert/names.h"
#include "server/errors.h"
#include "server/services/call_steps.h"
#include "server/services/pages.h"

namespace passerelle {
namespace {

absl::Status Refused(const absl::Status& status, const std::string& name) {
  return WithFieldPath(ForResource(status, name), "destination");
}

}  // namespace

absl::Status DestinationService::Serve(CallContext& call,
                                       const v1::CreateDestinationRequest& request,
                                       v1::Destination* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  const std::string& id = request.destination_id();
  RETURN_IF_ERROR(CheckId(IdForm::kResource, {"destination_id", id}));
  if (!request.has_destination()) return errors::FieldRequired("destination");
  ASSIGN_OR_RETURN(const storage::AdminWrite write, CreateWrite(call, request));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, parent.instance));
  ASSIGN_OR_RETURN(const storage::Destination wanted,
                   ReadDestination(request.destination(), id, *instance->schema().schema()));
  const auto written = instance->flows().CreateDestination(wanted, write);
  if (!written.ok()) {
    return Refused(written.status(), ToText(DestinationName{parent.instance, id}));
  }
  *response = ToProto(parent, written->value);
  TellCommit(context_, {parent.instance, written->position}, call);
  return absl::OkStatus();
}

absl::Status DestinationService::Serve(CallContext& call, const v1::GetDestinationRequest& request,
                                       v1::Destination* response) const {
  ASSIGN_OR_RETURN(const DestinationName name, ParseDestinationName({"name", request.name()}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {name.instance, request.commit_token()}));
  const auto found = reading.instance->flows().GetDestination(name.id, reading.context);
  if (!found.ok()) return ForResource(found.status(), request.name());
  *response = ToProto({name.instance}, *found);
  return absl::OkStatus();
}

absl::Status DestinationService::Serve(CallContext& call,
                                       const v1::ListDestinationsRequest& request,
                                       v1::ListDestinationsResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent()}}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const auto page,
                   reading.instance->flows().ListDestinations(pager.request(), reading.context));
  for (const storage::Destination& destination : page.items) {
    *response->add_destinations() = ToProto(parent, destination);
  }
  response->set_next_page_token(pager.Next(page.next));
  return absl::OkStatus();
}

absl::Status DestinationService::Serve(CallContext& call,
                                       const v1::UpdateDestinationRequest& request,
                                       v1::Destination* response) const {
  const v1::Destination& patch = request.destination();
  ASSIGN_OR_RETURN(const DestinationName name,
                   ParseDestinationName({"destination.name", patch.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto attempt = [&](const std::string& etag) -> absl::Status {
    ASSIGN_OR_RETURN(const storage::Destination present,
                     instance->flows().GetDestination(name.id, call.ForReading()));
    v1::Destination merged = ToProto({name.instance}, present);
    RETURN_IF_ERROR(ApplyMask({"destination", patch, request.update_mask()}, &merged));
    ASSIGN_OR_RETURN(const storage::Destination wanted,
                     ReadDestination(merged, name.id, *instance->schema().schema()));
    ASSIGN_OR_RETURN(const auto written,
                     instance->flows().UpdateDestination(
                         wanted, UpdateWrite({etag, present.etag}, request.validate_only())));
    *response = ToProto({name.instance}, written.value);
    TellCommit(context_, {name.instance, written.position}, call);
    if (!request.validate_only() && written.value.revision != present.revision) {
      context_.notices->Notify(patch.name(),
                               errors::MappingChanged(absl::StrCat(
                                   patch.name(), ": changed; open again at the same offset")));
    }
    return absl::OkStatus();
  };
  return Refused(UpdateInTurn(patch.etag(), attempt), patch.name());
}

absl::Status DestinationService::Serve(CallContext& call,
                                       const v1::DeleteDestinationRequest& request,
                                       google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const DestinationName name, ParseDestinationName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto written = instance->flows().DeleteDestination(name.id, DeleteWrite(request));
  if (!written.ok()) return ForResource(written.status(), request.name());
  TellCommit(context_, {name.instance, written->position}, call);
  context_.notices->Notify(request.name(), errors::DestinationDeleted(request.name()));
  return absl::OkStatus();
}

absl::Status DestinationService::Serve(CallContext& call,
                                       const v1::PauseDestinationRequest& request,
                                       v1::Destination* response) const {
  ASSIGN_OR_RETURN(const DestinationName name, ParseDestinationName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto written = instance->flows().SetDestinationState(name.id, storage::FlowState::kPaused);
  if (!written.ok()) return ForResource(written.status(), request.name());
  *response = ToProto({name.instance}, written->value);
  TellCommit(context_, {name.instance, written->position}, call);
  context_.notices->Notify(request.name(), errors::DestinationPaused(request.name()));
  return absl::OkStatus();
}

absl::Status DestinationService::Serve(CallContext& call,
                                       const v1::ResumeDestinationRequest& request,
                                       v1::Destination* response) const {
  ASSIGN_OR_RETURN(const DestinationName name, ParseDestinationName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto written = instance->flows().SetDestinationState(name.id, storage::FlowState::kActive);
  if (!written.ok()) return ForResource(written.status(), request.name());
  *response = ToProto({name.instance}, written->value);
  TellCommit(context_, {name.instance, written->position}, call);
  return absl::OkStatus();
}

}  // namespace passerelle
