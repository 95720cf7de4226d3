#include "tools/passerelle/commands.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::StreamService::Stub;

absl::Status Outcomes(Session& session, const std::string& id) {
  v1::ListRowOutcomesRequest request;
  request.set_parent(session.NameOf("writeStreams", id));
  request.set_page_size(1'000);
  const ListCommand list = {"",
                            "rows",
                            {{"row", "ROW"},
                             {"offset", "OFFSET"},
                             {"outcome", "OUTCOME"},
                             {"reason", "REASON"},
                             {"field", "FIELD"},
                             {"stale_fields", "STALE FIELDS"},
                             {"out_of_scope_fields", "OUT OF SCOPE"}}};
  Json rows = Json::array();
  absl::Status status = ForEachPage(session, &Stub::ListRowOutcomes, request,
                                    [&](const v1::ListRowOutcomesResponse& page) {
                                      for (const v1::RowOutcome& outcome : page.rows()) {
                                        Json row = ToJson(outcome);
                                        row["row"] = outcome.offset() + 1;
                                        rows.push_back(std::move(row));
                                      }
                                    });
  if (status.ok()) PrintList(list.key, rows, list.columns, session.json());
  return status;
}

}  // namespace

void AddStreams(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("streams", "Durable ingest streams and their rows");
  group->require_subcommand(1);
  AddList(group, session,
          {"Lists them",
           "write_streams",
           {{"name", "STREAM"},
            {"kind", "KIND"},
            {"target", "TARGET"},
            {"next_offset", "RECORDS"},
            {"finished", "FINISHED"},
            {"totals", "OUTCOMES"},
            {"update_time", "LAST WRITTEN"}}},
          &Stub::ListWriteStreams);
  AddByName(group, session, {"get", "Shows one", "writeStreams"}, &Stub::GetWriteStream);
  AddByName(group, session,
            {"delete", "Forgets one; only if its records are never sent again", "writeStreams"},
            &Stub::DeleteWriteStream);
  CLI::App* outcomes = group->add_subcommand(
      "outcomes", "Rows that did not simply apply, and why; ROW counts from 1, OFFSET from 0");
  auto id = std::make_shared<std::string>();
  outcomes->add_option("stream", *id, "The stream's name")->required();
  session.OnRun(outcomes, [&session, id] { return Outcomes(session, *id); });
}

}  // namespace passerelle::tools
