#include "server/convert/delivery.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "server/convert/fields.h"
#include "server/errors.h"
#include "storage/status.h"

namespace passerelle {
namespace {

struct Share {
  int64_t part;
  int64_t whole;
};
double RateOf(Share share) {
  return share.whole == 0 ? 0 : static_cast<double>(share.part) / static_cast<double>(share.whole);
}

absl::Status CheckAudiences(const v1::Delivery& delivery) {
  if (delivery.audiences_size() > kMaxDeliveryAudiences) {
    return errors::FieldInvalid(
        {"delivery.audiences",
         absl::StrCat(delivery.audiences_size(), " audiences, limit ", kMaxDeliveryAudiences)});
  }
  std::set<std::string> seen;
  for (int i = 0; i < delivery.audiences_size(); ++i) {
    const std::string field = absl::StrCat("delivery.audiences[", i, "]");
    RETURN_IF_ERROR(CheckId(IdForm::kResource, {field, delivery.audiences(i)}));
    if (!seen.insert(delivery.audiences(i)).second) {
      return errors::FieldInvalid(
          {field, absl::StrCat("got ", Quoted(delivery.audiences(i)), " twice, wanted it once")});
    }
  }
  return absl::OkStatus();
}

void SetRates(v1::DeliveryReport* report) {
  report->set_open_rate(RateOf({report->distinct_opens(), report->sent()}));
  report->set_click_rate(RateOf({report->distinct_clicks(), report->sent()}));
  report->set_reactivity(RateOf({report->distinct_clicks(), report->distinct_opens()}));
  report->set_failure_rate(RateOf({report->failed(), report->processed()}));
  report->set_opt_out_rate(RateOf({report->distinct_opt_outs(), report->sent()}));
}

}  // namespace

v1::Delivery ToProto(const InstanceName& instance, const storage::Delivery& delivery) {
  v1::Delivery shown;
  shown.set_name(ToText(DeliveryName{instance.instance, delivery.id}));
  shown.set_display_name(delivery.display_name);
  shown.set_channel(delivery.channel);
  shown.set_purpose(delivery.purpose);
  shown.set_campaign(delivery.campaign);
  for (const std::string& audience : delivery.audiences) shown.add_audiences(audience);
  *shown.mutable_create_time() = ToTimestamp(delivery.create_us);
  *shown.mutable_update_time() = ToTimestamp(delivery.update_us);
  shown.set_etag(delivery.etag);
  return shown;
}

absl::StatusOr<storage::Delivery> ReadDelivery(const v1::Delivery& delivery, std::string id) {
  RETURN_IF_ERROR(CheckLabel({"delivery.display_name", delivery.display_name()}));
  RETURN_IF_ERROR(CheckChannel({"delivery.channel", delivery.channel()}));
  RETURN_IF_ERROR(CheckPurpose({"delivery.purpose", delivery.purpose()}));
  RETURN_IF_ERROR(CheckLabel({"delivery.campaign", delivery.campaign()}));
  RETURN_IF_ERROR(CheckAudiences(delivery));
  storage::Delivery read;
  read.id = std::move(id);
  read.display_name = delivery.display_name();
  read.channel = delivery.channel();
  read.purpose = delivery.purpose();
  read.campaign = delivery.campaign();
  read.audiences.assign(delivery.audiences().begin(), delivery.audiences().end());
  return read;
}

v1::DeliveryReport ToProto(const InstanceName& instance, const storage::DeliveryReport& report) {
  v1::DeliveryReport shown;
  for (const std::string& id : report.deliveries) {
    shown.add_deliveries(ToText(DeliveryName{instance.instance, id}));
  }
  shown.set_processed(report.sent + report.failed + report.pending);
  shown.set_sent(report.sent);
  shown.set_failed(report.failed);
  shown.set_pending(report.pending);
  shown.set_cancelled(report.cancelled);
  for (const storage::DeliveryReport::Failure& failure : report.failures) {
    auto* added = shown.add_failures();
    added->set_failure_type(static_cast<v1::FailureType>(failure.type));
    added->set_failure_reason(failure.reason);
    added->set_messages(failure.messages);
  }
  shown.set_distinct_opens(report.distinct_opens);
  shown.set_total_opens(report.total_opens);
  shown.set_distinct_clicks(report.distinct_clicks);
  shown.set_total_clicks(report.total_clicks);
  shown.set_distinct_opt_outs(report.distinct_opt_outs);
  shown.set_total_opt_outs(report.total_opt_outs);
  shown.set_seeds_and_proofs(report.seeds_and_proofs);
  shown.set_sequence(report.sequence);
  shown.set_log_rows(report.log_rows);
  SetRates(&shown);
  return shown;
}

}  // namespace passerelle
