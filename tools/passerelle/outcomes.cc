#include "tools/passerelle/commands.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/progress.h"
#include "tools/passerelle/resource_commands.h"
#include "tools/passerelle/row_output.h"

namespace passerelle::tools {
namespace {

using Stub = v1::StreamService::Stub;

struct OutcomesFlags {
  std::string stream;
  std::string outcomes;
  std::string reasons;
  std::string field;
  std::string key;
  std::string format;
  std::string out;
};

// Reads "rejected,not-found" into the repeated field of an enum.
template <class Enum, class Parse>
absl::Status AddNames(const char* flag, const char* prefix, const std::string& text, Parse parse,
                      const std::function<void(Enum)>& add) {
  for (const std::string& name : ParseList(text)) {
    const auto value = FindEnum<Enum>(parse, prefix, name);
    if (!value) return NotOneOf(flag, name, "names as the list shows them, such as rejected");
    add(*value);
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ListRowOutcomesRequest> RequestOf(const Session& session,
                                                     const OutcomesFlags& flags) {
  v1::ListRowOutcomesRequest request;
  request.set_parent(session.NameOf("writeStreams", flags.stream));
  request.set_page_size(1'000);
  v1::RowOutcomeFilter* filter = request.mutable_filter();
  absl::Status status =
      AddNames<v1::Outcome>("--outcome", "OUTCOME_", flags.outcomes, v1::Outcome_Parse,
                            [filter](v1::Outcome outcome) { filter->add_outcomes(outcome); });
  if (!status.ok()) return status;
  status = AddNames<v1::RowReason>("--reason", "ROW_REASON_", flags.reasons, v1::RowReason_Parse,
                                   [filter](v1::RowReason reason) { filter->add_reasons(reason); });
  if (!status.ok()) return status;
  filter->set_field(flags.field);
  filter->set_record_key(flags.key);
  return request;
}

Json RowOf(const v1::RowOutcome& outcome) {
  Json row = ToJson(outcome);
  row["row"] = outcome.offset() + 1;
  return row;
}

absl::Status PrintTable(Session& session, const v1::ListRowOutcomesRequest& request) {
  const std::vector<TableColumn> columns = {{"row", "ROW"},
                                            {"offset", "OFFSET"},
                                            {"outcome", "OUTCOME"},
                                            {"reason", "REASON"},
                                            {"field", "FIELD"},
                                            {"stale_fields", "STALE FIELDS"},
                                            {"out_of_scope_fields", "OUT OF SCOPE"}};
  Json rows = Json::array();
  absl::Status status = ForEachPage(session, &Stub::ListRowOutcomes, request,
                                    [&rows](const v1::ListRowOutcomesResponse& page) {
                                      for (const auto& row : page.rows()) {
                                        rows.push_back(RowOf(row));
                                      }
                                    });
  if (status.ok()) PrintList("rows", rows, columns, session.json());
  return status;
}

// Page by page, however many there are.
absl::Status WriteRows(Session& session, const OutcomesFlags& flags,
                       const v1::ListRowOutcomesRequest& request) {
  auto format = RowFormatOf(flags.format, flags.out, session.json());
  if (!format.ok()) return format.status();
  auto output = RowOutput::Open({flags.out, *format, RowOutput::Mode::kReplace, -1, false});
  if (!output.ok()) return output.status();
  const std::vector<std::string> columns = {
      "row",    "offset", "record_key",   "outcome",
      "reason", "field",  "stale_fields", "out_of_scope_fields"};
  Progress progress("outcomes", session.quiet() || flags.out.empty());
  int64_t rows = 0;
  bool begun = false;
  absl::Status written;
  absl::Status status = ForEachPage(session, &Stub::ListRowOutcomes, request,
                                    [&](const v1::ListRowOutcomesResponse& page) {
                                      if (!begun) (*output)->SetColumns(columns);
                                      begun = true;
                                      for (const v1::RowOutcome& outcome : page.rows()) {
                                        const Json row = RowOf(outcome);
                                        std::vector<Json> values;
                                        for (const std::string& column : columns)
                                          values.push_back(row.value(column, Json()));
                                        (*output)->Write(values);
                                      }
                                      rows += page.rows_size();
                                      progress.Update(-1, rows);
                                      if (written.ok()) written = (*output)->Flush();
                                    });
  progress.End();
  if (status.ok()) status = written;
  if (!status.ok()) {
    TellLeft(session, **output, flags.out);
    return status;
  }
  return (*output)->Commit();
}

absl::Status Outcomes(Session& session, const OutcomesFlags& flags) {
  auto request = RequestOf(session, flags);
  if (!request.ok()) return request.status();
  if (flags.out.empty() && flags.format.empty()) return PrintTable(session, *request);
  return WriteRows(session, flags, *request);
}

}  // namespace

void AddOutcomes(CLI::App& app, Session& session) {
  CLI::App* outcomes = app.add_subcommand(
      "outcomes", "Rows of a stream that did not simply apply, and why; ROW counts from 1");
  auto flags = std::make_shared<OutcomesFlags>();
  outcomes->add_option("stream", flags->stream, "The stream's name")->required();
  outcomes->add_option("--outcome", flags->outcomes, "Only these: rejected,not-found");
  outcomes->add_option("--reason", flags->reasons, "Only these: malformed-email,not-utf8");
  outcomes->add_option("--field", flags->field, "Only rows whose reason or lists name this field");
  outcomes->add_option("--key", flags->key, "Only rows with this record key, as it was sent");
  outcomes->add_option("--format", flags->format, "csv or ndjson; a table by default");
  outcomes->add_option("--out", flags->out, "The file to write");
  session.OnRun(outcomes, [&session, flags] { return Outcomes(session, *flags); });
}

}  // namespace passerelle::tools
