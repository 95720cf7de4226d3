// The steps that send rows.
#include <utility>

#include "absl/strings/str_cat.h"
#include "passerelle/ingest.h"
#include "passerelle/schema.h"
#include "runner/rows.h"
#include "runner/session.h"

namespace passerelle::runner {
namespace {

using client::IngestOptions;
using client::IngestResult;
using Names = std::vector<std::string>;

Json Counts(const std::map<v1::Outcome, int64_t>& counts) {
  Json told = Json::object();
  for (const auto& [outcome, rows] : counts) {
    if (rows != 0) told[EnumText(*v1::Outcome_descriptor(), outcome)] = rows;
  }
  return told;
}

Json RowAnswer(const v1::RowOutcome& row) {
  Json told = ToJson(row);
  told["offset"] = row.offset();
  told["outcome"] = EnumText(*v1::Outcome_descriptor(), row.outcome());
  told.erase("reason");
  if (row.reason() != 0) told["reason"] = EnumText(*v1::RowReason_descriptor(), row.reason());
  return told;
}

Json ResultAnswer(const IngestResult& result, Json rows) {
  if (!result.status.ok()) return ErrorAnswer(result.status);
  return {{"ok",
           {{"total_records", result.total_records},
            {"received", result.received},
            {"already_known", result.already_known},
            {"reconnects", result.reconnects},
            {"counts", Counts(result.outcomes)},
            {"totals", Counts(result.totals)},
            {"rows", std::move(rows)},
            {"commit_token", result.commit_token}}}};
}

// The types of the step's fields: of the attributes themselves, or of those that the destination
// maps them to. What nobody knows goes as text: the server's answer names it.
absl::StatusOr<std::vector<v1::AttributeType>> TypesOf(const LoopContext& context, const Json& step,
                                                       const Names& fields) {
  if (fields.empty()) return std::vector<v1::AttributeType>();
  auto types = client::AttributeTypes(context.client, context.instance);
  if (!types.ok()) return types.status();
  std::map<std::string, std::string> attributes;
  if (step.contains("destination")) {
    v1::GetDestinationRequest get;
    get.set_name(
        absl::StrCat(context.instance, "/destinations/", step["destination"].get<std::string>()));
    auto found = context.client.Call(&v1::DestinationService::Stub::GetDestination, get);
    if (!found.ok()) return found.status();
    for (const auto& mapping : found->mappings()) {
      attributes[mapping.source_field()] = mapping.attribute();
    }
  }
  std::vector<v1::AttributeType> out;
  for (const std::string& field : fields) {
    auto at = types->find(step.contains("destination") ? attributes[field] : field);
    out.push_back(at == types->end() ? v1::ATTRIBUTE_TYPE_STRING : at->second);
  }
  return out;
}

template <typename Open>
void FillOpen(const Json& step, const RowShape& shape, Open* open) {
  open->mutable_stream()->set_stream(step.value("stream", ""));
  for (const std::string& name : shape.identities) open->add_identity_namespaces(name);
  for (const std::string& name : shape.fields) open->add_fields(name);
}

IngestResult Push(const LoopContext& context, const Json& step, const RowShape& shape,
                  client::RowSource& rows, const IngestOptions& options,
                  const std::string& destination) {
  v1::PushMembersRequest::Open open;
  FillOpen(step, shape, &open);
  open.set_destination(destination);
  for (const std::string& audience : shape.audiences) open.add_audiences(audience);
  if (step.value("replace", false)) open.mutable_replace();
  if (step.contains("max_refused_percent")) {
    open.mutable_replace()->set_max_refused_percent(step["max_refused_percent"]);
  }
  return client::PushMembers(context.client, open, rows, options);
}

IngestResult Send(const LoopContext& context, const Json& step, const RowShape& shape,
                  client::RowSource& rows, const IngestOptions& options) {
  const std::string destination =
      absl::StrCat(context.instance, "/destinations/", step.value("destination", ""));
  if (step["kind"] == "push") return Push(context, step, shape, rows, options, destination);
  if (step["kind"] == "sync") {
    v1::SyncProfilesRequest::Open open;
    FillOpen(step, shape, &open);
    open.set_destination(destination);
    return client::SyncProfiles(context.client, open, rows, options);
  }
  v1::ImportProfilesRequest::Open open;
  FillOpen(step, shape, &open);
  open.set_parent(context.instance);
  return client::ImportProfiles(context.client, open, rows, options);
}

Json Append(const LoopContext& context, const Json& step, const IngestOptions& options,
            const Json& rows_told) {
  auto rows = LogRowsOf(step);
  if (!rows.ok()) return InvalidUse(std::string(rows.status().message()));
  v1::AppendLogsRequest::Open open;
  open.set_parent(context.instance);
  open.mutable_stream()->set_stream(step.value("stream", ""));
  client::VectorSource<v1::RawLogEntry> source(*std::move(rows));
  const IngestResult result = client::AppendLogs(context.client, open, source, options);
  return ResultAnswer(result, rows_told);
}

}  // namespace

Json Ingest(const LoopContext& context, const Json& step) {
  Json rows_told = Json::array();
  IngestOptions options;
  options.stop = context.stop;
  options.stop_grace = absl::Milliseconds(200);
  options.give_up_after = Milliseconds(step, "retry_for_ms", options.give_up_after);
  options.max_batch_records = step.value("batch_records", options.max_batch_records);
  options.on_row = [&](const v1::RowOutcome& row) { rows_told.push_back(RowAnswer(row)); };
  if (step["kind"] == "append") return Append(context, step, options, rows_told);
  RowShape shape;
  shape.identities = step.value("identities", Names());
  shape.fields = step.value("fields", Names());
  shape.audiences = step.value("audiences", Names());
  auto types = TypesOf(context, step, shape.fields);
  if (!types.ok()) return ErrorAnswer(types.status());
  shape.types = *std::move(types);
  auto rows = RowsOf(step, shape);
  if (!rows.ok()) return InvalidUse(std::string(rows.status().message()));
  client::VectorSource<client::Row> source(*std::move(rows));
  const IngestResult result = Send(context, step, shape, source, options);
  return ResultAnswer(result, rows_told);
}

}  // namespace passerelle::runner
