#include "tools/passerelle/commands.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::StreamService::Stub;

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
            {"update_time", "LAST WRITTEN"},
            {"expire_time", "EXPIRED"}}},
          &Stub::ListWriteStreams);
  AddByName(group, session, {"get", "Shows one", "writeStreams"}, &Stub::GetWriteStream);
  AddByName(group, session,
            {"delete", "Forgets one; only if its records are never sent again", "writeStreams"},
            &Stub::DeleteWriteStream);
  AddOutcomes(*group, session);
}

}  // namespace passerelle::tools
