#include "tools/passerelle/commands.h"
#include "tools/passerelle/file_ingest.h"
#include "tools/passerelle/records/file_logs.h"

namespace passerelle::tools {
namespace {

struct AppendFlags {
  FileFlags file;
  LogDefaults defaults;
};

absl::Status Append(Session& session, const AppendFlags& flags) {
  auto reader = OpenFile(flags.file);
  if (!reader.ok()) return reader.status();
  const IngestJob job = {"append", ""};
  auto stream = StreamNameOf(job, flags.file, RowPlan(),
                             flags.defaults.kind + "|" + flags.defaults.delivery, **reader);
  if (!stream.ok()) return stream.status();
  auto logs = FileLogs::Make(*std::move(reader), flags.defaults);
  if (!logs.ok()) return logs.status();
  v1::AppendLogsRequest::Open open;
  open.set_parent(session.InstanceName());
  open.mutable_stream()->set_stream(*stream);
  return RunIngest(session, job, flags.file, *stream, (*logs)->reader(),
                   [&](client::Client& client, const client::IngestOptions& options) {
                     return client::AppendLogs(client, open, **logs, options);
                   });
}

}  // namespace

void AddLogs(CLI::App& app, Session& session) {
  CLI::App* logs = app.add_subcommand("logs", "Delivery and tracking logs: append, export, look");
  logs->require_subcommand(1);
  auto flags = std::make_shared<AppendFlags>();
  CLI::App* append = logs->add_subcommand(
      "append",
      "Appends rows of a file. Columns: kind, delivery, broadlog_id, tracking_log_id, event_time, "
      "identity_namespace, identity, status, tracking_kind...");
  AddFileFlags(append, &flags->file);
  append->add_option("--kind", flags->defaults.kind, "Of rows that do not say: delivery, tracking");
  append->add_option("--delivery", flags->defaults.delivery, "Of rows that do not say");
  session.OnRun(append, [&session, flags] { return Append(session, *flags); });
  AddLogExport(*logs, session);
}

}  // namespace passerelle::tools
