// Sources; their consumers are in source_consumers.cc.
#include "server/services/source_service.h"

#include "absl/strings/str_cat.h"
#include "server/convert/log_filter.h"
#include "server/convert/masks.h"
#include "server/convert/source.h"
#include "server/errors.h"
#include "server/services/pages.h"

namespace passerelle {
namespace {

constexpr char kDefaultConsumer[] = "default";

// Deliveries live in another file than sources, so the store of sources cannot ask for them.
absl::Status CheckDeliveries(const storage::Source& source, storage::InstanceStore& instance,
                             const storage::ReadContext& read) {
  for (size_t i = 0; i < source.deliveries.size(); ++i) {
    const absl::Status found = instance.logs().GetDelivery(source.deliveries[i], read).status();
    if (storage::ReasonOf(found) == storage::Reason::kNotFound) {
      return errors::FieldInvalid(
          {absl::StrCat("source.deliveries[", i, "]"),
           absl::StrCat("got ", Quoted(source.deliveries[i]), ", wanted a delivery that exists")});
    }
    RETURN_IF_ERROR(found);
  }
  return absl::OkStatus();
}

absl::Status CheckAudiences(const storage::Source& source, storage::InstanceStore& instance,
                            const storage::ReadContext& read) {
  for (size_t i = 0; i < source.audiences.size(); ++i) {
    const absl::Status found = instance.audiences().GetAudience(source.audiences[i], read).status();
    if (storage::ReasonOf(found) == storage::Reason::kNotFound) {
      return errors::FieldInvalid(
          {absl::StrCat("source.audiences[", i, "]"),
           absl::StrCat("got ", Quoted(source.audiences[i]), ", wanted an audience that exists")});
    }
    RETURN_IF_ERROR(found);
  }
  return absl::OkStatus();
}

absl::StatusOr<storage::Source> ReadChecked(const v1::Source& source, const std::string& id,
                                            storage::InstanceStore& instance,
                                            const storage::ReadContext& read) {
  ASSIGN_OR_RETURN(storage::Source wanted, ReadSource(source, id));
  RETURN_IF_ERROR(CheckDeliveries(wanted, instance, read));
  RETURN_IF_ERROR(CheckAudiences(wanted, instance, read));
  return wanted;
}

}  // namespace

absl::StatusOr<storage::Written<storage::Source>> SourceService::CreateWithConsumer(
    storage::InstanceStore& instance, const storage::Source& source,
    const storage::AdminWrite& write) const {
  if (write.validate_only) return instance.flows().CreateSource(source, write);
  const std::lock_guard<std::mutex> lock(both_files_);
  // A server that died while it deleted a source of this id may have left consumers behind.
  const absl::Status before = instance.flows().GetSource(source.id, {}).status();
  if (storage::ReasonOf(before) == storage::Reason::kNotFound) {
    RETURN_IF_ERROR(instance.logs().DeleteConsumersOf(source.id));
  }
  ASSIGN_OR_RETURN(auto written, instance.flows().CreateSource(source, write));
  const absl::Status made =
      instance.logs().CreateConsumer(source.id, kDefaultConsumer, {}, {}).status();
  // It is there already when a request is repeated.
  if (storage::ReasonOf(made) != storage::Reason::kAlreadyExists) RETURN_IF_ERROR(made);
  return written;
}

absl::Status SourceService::Serve(CallContext& call, const v1::CreateSourceRequest& request,
                                  v1::Source* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  const std::string& id = request.source_id();
  RETURN_IF_ERROR(CheckId(IdForm::kResource, {"source_id", id}));
  if (!request.has_source()) return errors::FieldRequired("source");
  ASSIGN_OR_RETURN(const storage::AdminWrite write, CreateWrite(call, request));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, parent.instance));
  ASSIGN_OR_RETURN(const storage::Source wanted,
                   ReadChecked(request.source(), id, *instance, call.ForReading()));
  const auto written = CreateWithConsumer(*instance, wanted, write);
  if (!written.ok()) {
    return ForResource(written.status(), ToText(SourceName{parent.instance, id}));
  }
  *response = ToProto(parent, written->value);
  TellCommit(context_, {parent.instance, written->position}, call);
  return absl::OkStatus();
}

absl::Status SourceService::Serve(CallContext& call, const v1::GetSourceRequest& request,
                                  v1::Source* response) const {
  ASSIGN_OR_RETURN(const SourceName name, ParseSourceName({"name", request.name()}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {name.instance, request.commit_token()}));
  const auto found = reading.instance->flows().GetSource(name.id, reading.context);
  if (!found.ok()) return ForResource(found.status(), request.name());
  *response = ToProto({name.instance}, *found);
  return absl::OkStatus();
}

absl::Status SourceService::Serve(CallContext& call, const v1::ListSourcesRequest& request,
                                  v1::ListSourcesResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent()}}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const auto page,
                   reading.instance->flows().ListSources(pager.request(), reading.context));
  for (const storage::Source& source : page.items) {
    *response->add_sources() = ToProto(parent, source);
  }
  response->set_next_page_token(pager.Next(page.next));
  return absl::OkStatus();
}

absl::Status SourceService::Serve(CallContext& call, const v1::UpdateSourceRequest& request,
                                  v1::Source* response) const {
  const v1::Source& patch = request.source();
  ASSIGN_OR_RETURN(const SourceName name, ParseSourceName({"source.name", patch.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto attempt = [&](const std::string& etag) -> absl::Status {
    ASSIGN_OR_RETURN(const storage::Source present,
                     instance->flows().GetSource(name.id, call.ForReading()));
    v1::Source merged = ToProto({name.instance}, present);
    RETURN_IF_ERROR(ApplyMask({"source", patch, request.update_mask()}, &merged));
    ASSIGN_OR_RETURN(const storage::Source wanted,
                     ReadChecked(merged, name.id, *instance, call.ForReading()));
    ASSIGN_OR_RETURN(const auto written,
                     instance->flows().UpdateSource(
                         wanted, UpdateWrite({etag, present.etag}, request.validate_only())));
    *response = ToProto({name.instance}, written.value);
    TellCommit(context_, {name.instance, written.position}, call);
    if (!request.validate_only() && HashOf(FilterOf(wanted)) != HashOf(FilterOf(present))) {
      context_.notices->Notify(patch.name(),
                               errors::CursorMismatch({"cursor", "the source's filter changed"}));
    }
    return absl::OkStatus();
  };
  return ForResource(UpdateInTurn(patch.etag(), attempt), patch.name());
}

absl::Status SourceService::Serve(CallContext& call, const v1::DeleteSourceRequest& request,
                                  google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const SourceName name, ParseSourceName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const std::lock_guard<std::mutex> lock(both_files_);
  const auto written = instance->flows().DeleteSource(name.id, DeleteWrite(request));
  if (!written.ok()) return ForResource(written.status(), request.name());
  TellCommit(context_, {name.instance, written->position}, call);
  context_.notices->Notify(request.name(), errors::ResourceNotFound(request.name()));
  return instance->logs().DeleteConsumersOf(name.id);
}

absl::Status SourceService::SetState(CallContext& call, const std::string& text,
                                     storage::FlowState state, v1::Source* response) const {
  ASSIGN_OR_RETURN(const SourceName name, ParseSourceName({"name", text}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto written = instance->flows().SetSourceState(name.id, state);
  if (!written.ok()) return ForResource(written.status(), text);
  *response = ToProto({name.instance}, written->value);
  TellCommit(context_, {name.instance, written->position}, call);
  if (state == storage::FlowState::kPaused) {
    context_.notices->Notify(text, errors::SourcePaused(text));
  }
  return absl::OkStatus();
}

absl::Status SourceService::Serve(CallContext& call, const v1::PauseSourceRequest& request,
                                  v1::Source* response) const {
  return SetState(call, request.name(), storage::FlowState::kPaused, response);
}

absl::Status SourceService::Serve(CallContext& call, const v1::ResumeSourceRequest& request,
                                  v1::Source* response) const {
  return SetState(call, request.name(), storage::FlowState::kActive, response);
}

}  // namespace passerelle
