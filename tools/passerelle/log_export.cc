#include <google/protobuf/descriptor.h>

#include <iostream>

#include "absl/strings/str_cat.h"
#include "passerelle/export.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/log_writer.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/progress.h"
#include "tools/passerelle/row_output.h"
#include "tools/passerelle/state_file.h"

namespace passerelle::tools {
namespace {

struct LogFlags {
  std::string source;
  std::string consumer;
  std::string kind;
  std::string deliveries;
  std::string audiences;
  std::string from;
  std::string to;
  std::string fields;
  std::string cursor_file;
  std::string format;
  std::string out;
  bool follow = false;
  bool spreadsheet_safe = false;
  int limit = 20;
};

absl::Status FillFilter(const LogFlags& flags, v1::LogFilter* filter) {
  for (const std::string& text : ParseList(flags.kind)) {
    auto kind = FindEnum<v1::LogKind>(v1::LogKind_Parse, "LOG_KIND_", text);
    if (!kind) return NotOneOf("--kind", text, "delivery or tracking");
    filter->add_kinds(*kind);
  }
  for (const std::string& id : ParseList(flags.deliveries)) filter->add_deliveries(id);
  for (const std::string& id : ParseList(flags.audiences)) filter->add_audiences(id);
  if (!flags.from.empty()) {
    auto time = ParseTime("--from", flags.from);
    if (!time.ok()) return time.status();
    *filter->mutable_start_time() = *time;
  }
  if (!flags.to.empty()) {
    auto time = ParseTime("--to", flags.to);
    if (!time.ok()) return time.status();
    *filter->mutable_end_time() = *time;
  }
  return absl::OkStatus();
}

bool HasFilter(const LogFlags& flags) {
  return !(flags.kind.empty() && flags.deliveries.empty() && flags.audiences.empty() &&
           flags.from.empty() && flags.to.empty());
}

absl::StatusOr<v1::ExportLogsRequest> RequestOf(const Session& session, const LogFlags& flags) {
  v1::ExportLogsRequest request;
  request.set_follow(flags.follow);
  if (flags.source.empty()) {
    request.set_name(session.InstanceName());
    absl::Status filled =
        HasFilter(flags) ? FillFilter(flags, request.mutable_filter()) : absl::OkStatus();
    if (!filled.ok()) return filled;
    for (const std::string& field : ParseList(flags.fields)) {
      const bool time = field == "event_time" || field == "append_time";
      request.add_fields(time ? field + "_us" : field);
    }
  } else {
    if (HasFilter(flags) || !flags.fields.empty()) {
      return absl::InvalidArgumentError(
          "logs export: with --source the source itself says which rows and fields");
    }
    request.set_name(session.NameOf("sources", flags.source));
    request.set_consumer(flags.consumer);
  }
  if (flags.source.empty() && !flags.consumer.empty()) {
    return absl::InvalidArgumentError("--consumer: is of a source; give --source");
  }
  if (flags.cursor_file.empty()) return request;
  auto position = ReadPosition(flags.cursor_file);
  if (!position.ok()) return position.status();
  request.set_cursor(position->cursor);
  return request;
}

// With a cursor the file is cut to what it held when the cursor was kept, if it is the same file.
absl::StatusOr<RowOutput::Target> TargetOf(const LogFlags& flags,
                                           const v1::ExportLogsRequest& request, bool json) {
  auto format = RowFormatOf(flags.format, flags.out, json);
  if (!format.ok()) return format.status();
  RowOutput::Target target = {flags.out, *format};
  target.spreadsheet_safe = flags.spreadsheet_safe;
  const bool keeps_position = !flags.cursor_file.empty() || !flags.consumer.empty();
  const bool goes_on = !request.cursor().empty() || !flags.consumer.empty();
  if (!goes_on) {
    target.mode =
        keeps_position || flags.follow ? RowOutput::Mode::kBeginNew : RowOutput::Mode::kReplace;
  }
  if (flags.cursor_file.empty()) return target;
  auto position = ReadPosition(flags.cursor_file);
  if (!position.ok()) return position.status();
  if (position->path == flags.out) target.keep_bytes = position->bytes;
  return target;
}

void TellEnd(const Session& session, const LogFlags& flags, const client::LogExportResult& result) {
  if (session.json()) {
    std::cerr << Json{{"rows", result.rows},
                      {"cursor", result.cursor},
                      {"sequence", result.sequence},
                      {"reconnects", result.reconnects}}
                     .dump()
              << "\n";
  } else if (!session.quiet()) {
    std::cerr << WithCommas(result.rows) << " rows, up to sequence " << result.sequence << "\n";
    if (flags.cursor_file.empty() && flags.consumer.empty()) {
      std::cerr << "--cursor-file FILE keeps the position for the next run\n";
    }
  }
}

// Rows are on their way to the disk before the position is: what is lost in between comes again.
absl::Status Export(Session& session, const LogFlags& flags) {
  auto request = RequestOf(session, flags);
  if (!request.ok()) return request.status();
  auto target = TargetOf(flags, *request, session.json());
  if (!target.ok()) return target.status();
  auto output = RowOutput::Open(*target);
  if (!output.ok()) return output.status();
  auto connected = session.Connect();
  if (!connected.ok()) return connected.status();
  session.EndInOrder();
  LogWriter writer(output->get());
  Progress progress("export", session.quiet() || flags.out.empty());
  client::ExportOptions options;
  options.stop = &session.stop();
  options.acknowledge = !flags.consumer.empty();
  int64_t rows = 0;
  auto take = [&](const v1::ExportLogsResponse& response) {
    if (response.has_header()) writer.SetFields(response.header().fields());
    for (const v1::LogEntry& row : response.rows()) writer.Write(row);
    rows += response.rows_size();
    progress.Update(-1, rows);
    absl::Status status = (*output)->Flush();
    if (!status.ok() || flags.cursor_file.empty() || response.cursor().empty()) return status;
    return WritePosition(flags.cursor_file, {response.cursor(), flags.out, (*output)->size()});
  };
  client::LogExportResult result = client::ExportLogs(**connected, *request, take, options);
  progress.End();
  if (result.status.ok()) result.status = (*output)->Commit();
  TellEnd(session, flags, result);
  TellLeft(session, **output, flags.out);
  return result.status;
}

absl::Status Tail(Session& session, LogFlags flags) {
  flags.follow = true;
  auto request = RequestOf(session, flags);
  if (!request.ok()) return request.status();
  auto connected = session.Connect();
  if (!connected.ok()) return connected.status();
  session.EndInOrder();
  client::ExportOptions options;
  options.stop = &session.stop();
  const bool json = session.json();
  auto take = [json](const v1::ExportLogsResponse& response) {
    for (const v1::LogEntry& row : response.rows()) {
      const Json shown = LogRow(row);
      std::cout << (json ? shown.dump(-1, ' ', false, Json::error_handler_t::replace)
                         : Readable(shown))
                << "\n";
    }
    std::cout.flush();
    return absl::OkStatus();
  };
  return client::ExportLogs(**connected, *request, take, options).status;
}

absl::Status List(Session& session, const LogFlags& flags) {
  v1::ListLogsRequest request;
  request.set_parent(session.InstanceName());
  absl::Status filled = FillFilter(flags, request.mutable_filter());
  if (!filled.ok()) return filled;
  Json rows = Json::array();
  while (static_cast<int>(rows.size()) < flags.limit) {
    request.set_page_size(std::min(flags.limit - static_cast<int>(rows.size()), 1'000));
    auto page = session.Call(&v1::LogService::Stub::ListLogs, request);
    if (!page.ok()) return page.status();
    for (const v1::LogEntry& row : page->rows()) rows.push_back(LogRow(row));
    request.set_page_token(page->next_page_token());
    if (request.page_token().empty()) break;
  }
  PrintList("rows", rows,
            {{"sequence", "SEQUENCE"},
             {"kind", "KIND"},
             {"delivery", "DELIVERY"},
             {"broadlog_id", "MESSAGE"},
             {"event_time", "EVENT TIME"},
             {"status", "STATUS"},
             {"tracking_kind", "TRACKING"},
             {"profile", "PROFILE"}},
            session.json());
  return absl::OkStatus();
}

void AddFilterFlags(CLI::App* command, LogFlags* flags) {
  command->add_option("--kind", flags->kind, "delivery, tracking; both by default");
  command->add_option("--deliveries", flags->deliveries, "Only of these: a,b");
  command->add_option("--audiences", flags->audiences, "Only of deliveries to these: a,b");
  command->add_option("--from", flags->from, "Only from this event time on");
  command->add_option("--to", flags->to, "Only before this event time");
}

}  // namespace

void AddLogExport(CLI::App& logs, Session& session) {
  auto flags = std::make_shared<LogFlags>();
  CLI::App* exported = logs.add_subcommand("export", "Writes rows in order, from a position on");
  AddFilterFlags(exported, flags.get());
  exported->add_option("--source", flags->source, "Rows and fields as this source says");
  exported->add_option("--consumer", flags->consumer,
                       "Go on where this consumer of the source is, and move it");
  exported->add_option("--fields", flags->fields, "Fields to send: event_time,status");
  exported->add_option("--cursor-file", flags->cursor_file,
                       "A file that keeps the position, and how long --out was there: no row comes "
                       "twice or torn, however a run ended");
  exported->add_flag("--follow", flags->follow, "Go on as rows are appended");
  exported->add_flag("--spreadsheet-safe", flags->spreadsheet_safe, kSpreadsheetSafeWords);
  exported->add_option("--format", flags->format, "csv or ndjson");
  exported->add_option("--out", flags->out,
                       "The file to write, or to go on with; standard output by default");
  session.OnRun(exported, [&session, flags] { return Export(session, *flags); });
  auto tail_flags = std::make_shared<LogFlags>();
  CLI::App* tail = logs.add_subcommand("tail", "Shows rows, and new ones as they come");
  AddFilterFlags(tail, tail_flags.get());
  session.OnRun(tail, [&session, tail_flags] { return Tail(session, *tail_flags); });
  auto list_flags = std::make_shared<LogFlags>();
  CLI::App* list = logs.add_subcommand("list", "Shows the first rows");
  AddFilterFlags(list, list_flags.get());
  list->add_option("--limit", list_flags->limit, "At most this many")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  session.OnRun(list, [&session, list_flags] { return List(session, *list_flags); });
}

}  // namespace passerelle::tools
