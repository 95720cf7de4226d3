#include "server/convert/source.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "server/convert/fields.h"
#include "server/convert/log_filter.h"
#include "server/convert/log_schema.h"
#include "server/errors.h"
#include "storage/status.h"

namespace passerelle {
namespace {

absl::Status ReadSchema(const v1::Source& source, storage::Source* read) {
  if (source.schema() == v1::LOG_KIND_UNSPECIFIED) return errors::FieldRequired("source.schema");
  if (!v1::LogKind_IsValid(source.schema())) {
    return errors::FieldInvalid(
        {"source.schema", absl::StrCat("got ", static_cast<int>(source.schema()),
                                       ", wanted LOG_KIND_DELIVERY or LOG_KIND_TRACKING")});
  }
  read->schema = source.schema();
  return absl::OkStatus();
}

// The names that go out whatever is chosen, unless the source renames them.
std::set<std::string> AlwaysSent(const v1::Source& source) {
  std::set<std::string> names;
  for (const LogSchemaField& field : LogFields()) {
    if (field.always_sent) names.insert(field.name);
  }
  for (const v1::SourceField& field : source.fields()) names.erase(field.field());
  return names;
}

absl::Status ReadFields(const v1::Source& source, storage::Source* read) {
  std::vector<std::string> names;
  for (const v1::SourceField& field : source.fields()) names.push_back(field.field());
  const auto schema = static_cast<storage::LogKind>(read->schema);
  RETURN_IF_ERROR(ChooseLogFields(schema, names, "source.fields").status());
  std::set<std::string> outgoing = AlwaysSent(source);
  std::set<std::string> chosen;
  for (int i = 0; i < source.fields_size(); ++i) {
    const v1::SourceField& field = source.fields(i);
    const std::string path = absl::StrCat("source.fields[", i, "]");
    RETURN_IF_ERROR(CheckLabel({absl::StrCat(path, ".rename"), field.rename()}));
    if (!chosen.insert(field.field()).second) {
      return errors::FieldInvalid(
          {absl::StrCat(path, ".field"), absl::StrCat("got ", Quoted(field.field()),
                                                      " twice, wanted it "
                                                      "once")});
    }
    const std::string& name = field.rename().empty() ? field.field() : field.rename();
    if (!outgoing.insert(name).second) {
      return errors::FieldInvalid(
          {absl::StrCat(path, ".rename"),
           absl::StrCat("got ", Quoted(name), ", which another field goes out under")});
    }
    read->fields.push_back({field.field(), field.rename()});
  }
  return absl::OkStatus();
}

absl::Status ReadFilter(const v1::Source& source, storage::Source* read) {
  v1::LogFilter filter;
  *filter.mutable_deliveries() = source.deliveries();
  *filter.mutable_audiences() = source.audiences();
  if (source.has_start_time()) *filter.mutable_start_time() = source.start_time();
  if (source.has_end_time()) *filter.mutable_end_time() = source.end_time();
  ASSIGN_OR_RETURN(storage::LogFilter checked, ReadLogFilter(filter, "source"));
  read->deliveries = std::move(checked.deliveries);
  read->audiences = std::move(checked.audiences);
  read->start_us = checked.start_us;
  read->end_us = checked.end_us;
  return absl::OkStatus();
}

constexpr int64_t kMaxPinSeconds = int64_t{36'500} * 24 * 3600;

}  // namespace

v1::Source ToProto(const InstanceName& instance, const storage::Source& source) {
  v1::Source shown;
  shown.set_name(ToText(SourceName{instance.instance, source.id}));
  shown.set_display_name(source.display_name);
  shown.set_schema(static_cast<v1::LogKind>(source.schema));
  shown.set_dataset(source.dataset);
  for (const storage::SourceField& field : source.fields) {
    v1::SourceField* added = shown.add_fields();
    added->set_field(field.field);
    added->set_rename(field.rename);
  }
  for (const std::string& id : source.deliveries) shown.add_deliveries(id);
  for (const std::string& id : source.audiences) shown.add_audiences(id);
  if (source.start_us) *shown.mutable_start_time() = ToTimestamp(*source.start_us);
  if (source.end_us) *shown.mutable_end_time() = ToTimestamp(*source.end_us);
  shown.set_state(static_cast<v1::Source::State>(source.state));
  *shown.mutable_create_time() = ToTimestamp(source.create_us);
  *shown.mutable_update_time() = ToTimestamp(source.update_us);
  shown.set_etag(source.etag);
  return shown;
}

absl::StatusOr<storage::Source> ReadSource(const v1::Source& source, std::string id) {
  storage::Source read;
  read.id = std::move(id);
  RETURN_IF_ERROR(CheckLabel({"source.display_name", source.display_name()}));
  RETURN_IF_ERROR(CheckLabel({"source.dataset", source.dataset()}));
  read.display_name = source.display_name();
  read.dataset = source.dataset();
  RETURN_IF_ERROR(ReadSchema(source, &read));
  RETURN_IF_ERROR(ReadFields(source, &read));
  RETURN_IF_ERROR(ReadFilter(source, &read));
  return read;
}

absl::StatusOr<storage::ConsumerSettings> ReadConsumerSettings(const v1::Consumer& consumer) {
  storage::ConsumerSettings settings;
  if (consumer.pin_forever()) settings.max_pin_us = storage::kForever;
  if (!consumer.has_max_pin()) return settings;
  if (consumer.pin_forever()) {
    return errors::FieldInvalid(
        {"consumer.max_pin", "got it with pin_forever, wanted one of them"});
  }
  ASSIGN_OR_RETURN(settings.max_pin_us,
                   ReadDuration({"consumer.max_pin", 1, kMaxPinSeconds}, consumer.max_pin()));
  return settings;
}

v1::Consumer ToProto(const InstanceName& instance, const storage::Consumer& consumer) {
  v1::Consumer shown;
  shown.set_name(ToText(ConsumerName{instance.instance, consumer.source, consumer.id}));
  shown.set_acknowledged_sequence(consumer.acknowledged_sequence);
  shown.set_lag(consumer.lag);
  if (consumer.acknowledge_us != 0) {
    *shown.mutable_acknowledge_time() = ToTimestamp(consumer.acknowledge_us);
  }
  *shown.mutable_create_time() = ToTimestamp(consumer.create_us);
  const std::optional<int64_t>& max_pin_us = consumer.settings.max_pin_us;
  shown.set_pin_forever(max_pin_us == storage::kForever);
  if (max_pin_us && !shown.pin_forever()) *shown.mutable_max_pin() = ToDuration(*max_pin_us);
  shown.set_state(static_cast<v1::Consumer::State>(consumer.state));
  if (consumer.lag_us != 0) *shown.mutable_lag_time() = ToDuration(consumer.lag_us);
  shown.set_lag_bytes(consumer.lag_bytes);
  shown.set_pin_used_percent(consumer.pin_percent);
  if (consumer.expire_us != 0) *shown.mutable_expire_time() = ToTimestamp(consumer.expire_us);
  return shown;
}

}  // namespace passerelle
