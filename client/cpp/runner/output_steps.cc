// The steps that read: log rows and members.
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "passerelle/export.h"
#include "passerelle/schema.h"
#include "runner/session.h"

namespace passerelle::runner {
namespace {

using Names = std::vector<std::string>;

// Stops a loop after a while, unless it ended before.
class Timer {
 public:
  Timer(absl::Duration after, client::StopSignal* stop)
      : thread_([this, after, stop] {
          if (!ended_.SleepFor(after)) stop->Stop();
        }) {}
  ~Timer() {
    ended_.Stop();
    thread_.join();
  }

 private:
  client::StopSignal ended_;
  std::thread thread_;
};

Json FieldOf(const v1::LogEntry& row, const google::protobuf::FieldDescriptor& field) {
  using google::protobuf::FieldDescriptor;
  const auto& reflection = *row.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = reflection.GetEnumValue(row, &field);
      return number == 0 ? Json() : Json(EnumText(*field.enum_type(), number));
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = reflection.GetString(row, &field);
      return text.empty() ? Json() : Json(text);
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(row, &field);
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(row, &field);
    default:
      break;
  }
  const int64_t number = reflection.GetInt64(row, &field);
  const std::string& name = field.name();
  const bool is_time = name == "event_time_us" || name == "append_time_us";
  if (!is_time) return number;
  return number == 0 ? Json() : Json(TimeText(number));
}

// The fields that the header names; those that are newer than this client are left out.
Json RecordOf(const v1::LogEntry& row, const v1::ExportLogsResponse::Header& header) {
  Json record = Json::object();
  for (const v1::SourceField& chosen : header.fields()) {
    const auto* field = v1::LogEntry::descriptor()->FindFieldByName(chosen.field());
    if (field == nullptr) continue;
    record[chosen.rename().empty() ? chosen.field() : chosen.rename()] = FieldOf(row, *field);
  }
  return record;
}

absl::StatusOr<v1::ExportLogsRequest> ExportRequest(const LoopContext& context, const Json& step) {
  v1::ExportLogsRequest request;
  const std::string source = step.value("source", "");
  request.set_name(source.empty() ? context.instance
                                  : absl::StrCat(context.instance, "/sources/", source));
  request.set_consumer(step.value("consumer", ""));
  request.set_cursor(step.value("cursor", ""));
  request.set_follow(step.value("follow", false));
  request.set_max_batch_rows(step.value("max_batch_rows", 0));
  for (const std::string& field : step.value("fields", Names())) request.add_fields(field);
  if (step.contains("filter")) {
    absl::Status read = FromJson(step["filter"], request.mutable_filter());
    if (!read.ok()) return read;
  }
  return request;
}

// Columns as one member for each record.
Json MembersOf(const v1::StreamMembersResponse::Batch& batch, const Names& namespaces,
               const Names& attributes, const std::vector<v1::AttributeType>& types) {
  std::vector<Json> members(batch.records(),
                            {{"identities", Json::object()}, {"attributes", Json::object()}});
  const auto fill = [&](const char* part, const std::string& name,
                        const std::vector<Json>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!values[i].is_null()) members[i][part][name] = values[i];
    }
  };
  for (int n = 0; n < batch.identities_size(); ++n) {
    fill("identities", namespaces[n],
         ValuesOf(batch.identities(n), batch.records(), v1::ATTRIBUTE_TYPE_STRING));
  }
  for (int a = 0; a < batch.columns_size(); ++a) {
    fill("attributes", attributes[a], ValuesOf(batch.columns(a), batch.records(), types[a]));
  }
  const auto& changes = *v1::StreamMembersResponse::Change_descriptor();
  for (int i = 0; i < batch.records(); ++i) {
    members[i]["change"] = batch.changes().empty() ? "MEMBER" : EnumText(changes, batch.changes(i));
  }
  return members;
}

v1::StreamMembersRequest MembersRequest(const LoopContext& context, const Json& step) {
  v1::StreamMembersRequest request;
  request.set_audience(
      absl::StrCat(context.instance, "/audiences/", step["audience"].get<std::string>()));
  request.mutable_reach()->set_channel(step["channel"]);
  request.mutable_reach()->set_purpose(step.value("purpose", ""));
  request.set_since_token(step.value("since", ""));
  for (const auto& name : step.value("attributes", Names())) request.add_attributes(name);
  for (const auto& name : step.value("identities", Names())) request.add_identity_namespaces(name);
  for (const auto& name : step.value("mandatory", Names())) request.add_mandatory_attributes(name);
  return request;
}

absl::StatusOr<std::vector<v1::AttributeType>> TypesOf(const LoopContext& context,
                                                       const Names& attributes) {
  std::vector<v1::AttributeType> out;
  if (attributes.empty()) return out;
  auto types = client::AttributeTypes(context.client, context.instance);
  if (!types.ok()) return types.status();
  for (const std::string& attribute : attributes) {
    auto at = types->find(attribute);
    out.push_back(at == types->end() ? v1::ATTRIBUTE_TYPE_STRING : at->second);
  }
  return out;
}

}  // namespace

Json Export(const LoopContext& context, const Json& step) {
  auto request = ExportRequest(context, step);
  if (!request.ok()) return InvalidUse(std::string(request.status().message()));
  client::ExportOptions options;
  options.stop = context.stop;
  options.acknowledge = step.value("acknowledge", false);
  options.give_up_after = Milliseconds(step, "retry_for_ms", options.give_up_after);
  Json rows = Json::array();
  int batches = 0;
  bool enough = false;
  v1::ExportLogsResponse::Header header;
  const auto take = [&](const v1::ExportLogsResponse& response) {
    if (response.has_header()) header = response.header();
    for (const v1::LogEntry& row : response.rows()) rows.push_back(RecordOf(row, header));
    batches += response.rows().empty() ? 0 : 1;
    enough = batches > 0 && batches == step.value("stop_after_batches", 0);
    if (enough) context.stop->Stop();
    return absl::OkStatus();
  };
  client::LogExportResult result;
  bool cancelled = false;
  {
    std::optional<Timer> timer;
    if (step.contains("cancel_after_ms")) {
      timer.emplace(Milliseconds(step, "cancel_after_ms", absl::ZeroDuration()), context.stop);
    }
    result = client::ExportLogs(context.client, *std::move(request), take, options);
    cancelled = timer.has_value() && absl::IsCancelled(result.status);
  }
  if (!result.status.ok() && !enough && !cancelled) return ErrorAnswer(result.status);
  return {{"ok",
           {{"rows", std::move(rows)},
            {"batches", batches},
            {"cursor", result.cursor},
            {"cancelled", cancelled}}}};
}

Json Members(const LoopContext& context, const Json& step) {
  const Names attributes = step.value("attributes", Names());
  const Names namespaces = step.value("identities", Names{"external_id"});
  auto types = TypesOf(context, attributes);
  if (!types.ok()) return ErrorAnswer(types.status());
  client::ExportOptions options;
  options.stop = context.stop;
  options.give_up_after = Milliseconds(step, "retry_for_ms", options.give_up_after);
  Json members = Json::array();
  const auto take = [&](const v1::StreamMembersResponse& response) {
    for (Json& member : MembersOf(response.batch(), namespaces, attributes, *types)) {
      members.push_back(std::move(member));
    }
    return absl::OkStatus();
  };
  const client::MembersResult result =
      client::StreamMembers(context.client, MembersRequest(context, step), take, options);
  if (!result.status.ok()) return ErrorAnswer(result.status);
  Json excluded = Json::object();
  for (const auto& count : result.trailer.excluded()) {
    excluded[EnumText(*v1::ExclusionReason_descriptor(), count.reason())] = count.members();
  }
  return {{"ok",
           {{"members", std::move(members)},
            {"end_token", result.trailer.end_token()},
            {"excluded", std::move(excluded)}}}};
}

}  // namespace passerelle::runner
