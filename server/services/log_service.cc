// Deliveries and their reports; lists of log rows are in log_list.cc.
#include "server/services/log_service.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/convert/delivery.h"
#include "server/convert/log_schema.h"
#include "server/convert/masks.h"
#include "server/convert/names.h"
#include "server/errors.h"
#include "server/services/call_steps.h"
#include "server/services/pages.h"

namespace passerelle {
namespace {

// Audiences live in another file than deliveries, so the store of deliveries cannot ask for them.
absl::Status CheckAudiences(const storage::Delivery& delivery, storage::InstanceStore& instance,
                            const storage::ReadContext& read) {
  for (size_t i = 0; i < delivery.audiences.size(); ++i) {
    const absl::Status found =
        instance.audiences().GetAudience(delivery.audiences[i], read).status();
    if (storage::ReasonOf(found) == storage::Reason::kNotFound) {
      return errors::FieldInvalid({absl::StrCat("delivery.audiences[", i, "]"),
                                   absl::StrCat("got ", Quoted(delivery.audiences[i]),
                                                ", wanted an audience that exists")});
    }
    RETURN_IF_ERROR(found);
  }
  return absl::OkStatus();
}

// Ids of the sources that name a delivery.
absl::StatusOr<std::vector<std::string>> SourcesOf(const std::string& delivery,
                                                   storage::InstanceStore& instance,
                                                   const storage::ReadContext& read) {
  std::vector<std::string> ids;
  storage::PageRequest page;
  do {
    ASSIGN_OR_RETURN(const auto sources, instance.flows().ListSources(page, read));
    for (const storage::Source& source : sources.items) {
      const auto& named = source.deliveries;
      if (std::find(named.begin(), named.end(), delivery) != named.end()) ids.push_back(source.id);
    }
    page.after = sources.next;
  } while (!page.after.empty());
  return ids;
}

// What a report is on: one delivery, or those that list an audience.
struct Reported {
  std::string instance;
  std::string delivery;
  std::string audience;
};
absl::StatusOr<Reported> ReadReported(const std::string& name) {
  if (absl::StrContains(name, "/audiences/")) {
    ASSIGN_OR_RETURN(const AudienceName audience, ParseAudienceName({"name", name}));
    return Reported{audience.instance, "", audience.id};
  }
  ASSIGN_OR_RETURN(const DeliveryName delivery, ParseDeliveryName({"name", name}));
  return Reported{delivery.instance, delivery.id, ""};
}

absl::StatusOr<std::vector<std::string>> DeliveriesOf(const Reported& reported,
                                                      const Reading& reading) {
  if (reported.audience.empty()) return std::vector<std::string>{reported.delivery};
  RETURN_IF_ERROR(
      reading.instance->audiences().GetAudience(reported.audience, reading.context).status());
  return reading.instance->logs().DeliveriesOfAudience(reported.audience, reading.context);
}

}  // namespace

absl::Status LogService::Serve(CallContext& call, const v1::CreateDeliveryRequest& request,
                               v1::Delivery* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  const std::string& id = request.delivery_id();
  RETURN_IF_ERROR(CheckId(IdForm::kResource, {"delivery_id", id}));
  if (!request.has_delivery()) return errors::FieldRequired("delivery");
  ASSIGN_OR_RETURN(const storage::Delivery wanted, ReadDelivery(request.delivery(), id));
  ASSIGN_OR_RETURN(const storage::AdminWrite write, CreateWrite(call, request));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, parent.instance));
  RETURN_IF_ERROR(CheckAudiences(wanted, *instance, call.ForReading()));
  const auto written = instance->logs().CreateDelivery(wanted, write);
  if (!written.ok()) {
    return ForResource(written.status(), ToText(DeliveryName{parent.instance, id}));
  }
  *response = ToProto(parent, written->value);
  TellCommit(context_, {parent.instance, written->position}, call);
  return absl::OkStatus();
}

absl::Status LogService::Serve(CallContext& call, const v1::GetDeliveryRequest& request,
                               v1::Delivery* response) const {
  ASSIGN_OR_RETURN(const DeliveryName name, ParseDeliveryName({"name", request.name()}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {name.instance, request.commit_token()}));
  const auto found = reading.instance->logs().GetDelivery(name.id, reading.context);
  if (!found.ok()) return ForResource(found.status(), request.name());
  *response = ToProto({name.instance}, *found);
  return absl::OkStatus();
}

absl::Status LogService::Serve(CallContext& call, const v1::ListDeliveriesRequest& request,
                               v1::ListDeliveriesResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent()}}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const auto page,
                   reading.instance->logs().ListDeliveries(pager.request(), reading.context));
  for (const storage::Delivery& delivery : page.items) {
    *response->add_deliveries() = ToProto(parent, delivery);
  }
  response->set_next_page_token(pager.Next(page.next));
  return absl::OkStatus();
}

absl::Status LogService::Serve(CallContext& call, const v1::UpdateDeliveryRequest& request,
                               v1::Delivery* response) const {
  const v1::Delivery& patch = request.delivery();
  ASSIGN_OR_RETURN(const DeliveryName name, ParseDeliveryName({"delivery.name", patch.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto attempt = [&](const std::string& etag) -> absl::Status {
    ASSIGN_OR_RETURN(const storage::Delivery present,
                     instance->logs().GetDelivery(name.id, call.ForReading()));
    v1::Delivery merged = ToProto({name.instance}, present);
    RETURN_IF_ERROR(ApplyMask({"delivery", patch, request.update_mask()}, &merged));
    ASSIGN_OR_RETURN(const storage::Delivery wanted, ReadDelivery(merged, name.id));
    RETURN_IF_ERROR(CheckAudiences(wanted, *instance, call.ForReading()));
    ASSIGN_OR_RETURN(const auto written,
                     instance->logs().UpdateDelivery(
                         wanted, UpdateWrite({etag, present.etag}, request.validate_only())));
    *response = ToProto({name.instance}, written.value);
    TellCommit(context_, {name.instance, written.position}, call);
    return absl::OkStatus();
  };
  return ForResource(UpdateInTurn(patch.etag(), attempt), patch.name());
}

absl::Status LogService::Serve(CallContext& call, const v1::DeleteDeliveryRequest& request,
                               google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const DeliveryName name, ParseDeliveryName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  ASSIGN_OR_RETURN(const std::vector<std::string> sources,
                   SourcesOf(name.id, *instance, call.ForReading()));
  const auto written = instance->logs().DeleteDelivery(name.id, sources, DeleteWrite(request));
  if (!written.ok()) return ForResource(written.status(), request.name());
  TellCommit(context_, {name.instance, written->position}, call);
  return absl::OkStatus();
}

absl::Status LogService::Serve(CallContext& call, const v1::GetSchemaRequest& request,
                               v1::LogSchema* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  if (request.schema() == v1::LOG_KIND_UNSPECIFIED) return errors::FieldRequired("schema");
  if (!v1::LogKind_IsValid(request.schema())) {
    return errors::FieldInvalid(
        {"schema", absl::StrCat("got ", static_cast<int>(request.schema()),
                                ", wanted LOG_KIND_DELIVERY or LOG_KIND_TRACKING")});
  }
  RETURN_IF_ERROR(OpenInstance(context_, parent.instance).status());
  *response = DescribeLogSchema(static_cast<storage::LogKind>(request.schema()));
  return absl::OkStatus();
}

absl::Status LogService::Serve(CallContext& call, const v1::GetDeliveryReportRequest& request,
                               v1::DeliveryReport* response) const {
  ASSIGN_OR_RETURN(const Reported reported, ReadReported(request.name()));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {reported.instance, request.commit_token()}));
  const auto deliveries = DeliveriesOf(reported, reading);
  if (!deliveries.ok()) return ForResource(deliveries.status(), request.name());
  const auto report = reading.instance->logs().Report(*deliveries, reading.context);
  if (!report.ok()) return ForResource(report.status(), request.name());
  *response = ToProto({reported.instance}, *report);
  response->set_name(request.name());
  return absl::OkStatus();
}

}  // namespace passerelle
