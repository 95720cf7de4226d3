// The run of a file's ingest: progress while it goes, an account at the end.
#include <algorithm>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "passerelle/error.h"
#include "tools/passerelle/file_ingest.h"
#include "tools/passerelle/output.h"
#include "tools/passerelle/progress.h"

namespace passerelle::tools {
namespace {

constexpr std::size_t kShownRows = 10;

int64_t RefusedOf(const std::map<v1::Outcome, int64_t>& outcomes) {
  int64_t refused = 0;
  for (const auto& [outcome, rows] : outcomes) {
    if (outcome <= v1::OUTCOME_NOT_FOUND) refused += rows;
  }
  return refused;
}

Json ToJson(const std::map<v1::Outcome, int64_t>& outcomes) {
  Json object = Json::object();
  for (const auto& [outcome, rows] : outcomes) {
    object[v1::Outcome_Name(outcome).substr(std::string("OUTCOME_").size())] = rows;
  }
  return object;
}

// Records whose acknowledgement was lost with its connection: their outcomes are in the totals.
int64_t AcknowledgedOnReconnect(const client::IngestResult& result) {
  int64_t told = 0;
  for (const auto& [outcome, rows] : result.outcomes) told += rows;
  return std::max<int64_t>(0, result.received - told);
}

std::string CountOf(int64_t number, const std::string& thing) {
  return absl::StrCat(WithCommas(number), " ", thing, number == 1 ? "" : "s");
}

struct Account {
  std::string verb;
  std::string file;
  std::string stream;
  client::IngestResult result;
  std::vector<v1::RowOutcome> rows;  // the first that did not simply apply
  std::vector<int64_t> lines;        // of the file, where those begin
  absl::Duration time;
};

void PrintAccountJson(const Account& account) {
  const client::IngestResult& result = account.result;
  PrintJson(Json{{"command", account.verb},
                 {"file", account.file},
                 {"stream", account.stream},
                 {"finished", result.status.ok()},
                 {"received", result.received},
                 {"already_known", result.already_known},
                 {"outcomes", ToJson(result.outcomes)},
                 {"total_records", result.total_records},
                 {"totals", ToJson(result.totals)},
                 {"reconnects", result.reconnects},
                 {"acknowledged_on_reconnect", AcknowledgedOnReconnect(result)},
                 {"commit_token", result.commit_token},
                 {"seconds", absl::ToDoubleSeconds(account.time)}});
}

void PrintRefusedRows(const Account& account) {
  if (account.rows.empty()) return;
  Json rows = Json::array();
  for (std::size_t i = 0; i < account.rows.size(); ++i) {
    const v1::RowOutcome& row = account.rows[i];
    rows.push_back({{"line", i < account.lines.size() ? Json(account.lines[i]) : Json("")},
                    {"row", row.offset() + 1},
                    {"outcome", OutcomeWords(row.outcome())},
                    {"reason", EnumWords(v1::RowReason_Name(row.reason()))},
                    {"field", row.field()}});
  }
  std::cout << "\nrows that did not simply apply:\n";
  PrintTable(rows, {{"line", "LINE"},
                    {"row", "ROW"},
                    {"outcome", "OUTCOME"},
                    {"reason", "WHY"},
                    {"field", "FIELD"}});
  if (account.rows.size() == kShownRows) {
    std::cout << "all of them: passerelle streams outcomes " << account.stream << "\n";
  }
}

void PrintOutcomes(const std::map<v1::Outcome, int64_t>& outcomes, int64_t on_reconnect = 0) {
  Json rows = Json::array();
  for (const auto& [outcome, count] : outcomes) {
    rows.push_back({{"outcome", OutcomeWords(outcome)}, {"rows", WithCommas(count)}});
  }
  if (on_reconnect > 0) {
    rows.push_back({{"outcome", "acknowledged on reconnect"}, {"rows", WithCommas(on_reconnect)}});
  }
  if (!rows.empty()) PrintTable(rows, {{"outcome", "OUTCOME"}, {"rows", "ROWS"}});
}

void PrintAccount(const Account& account) {
  const client::IngestResult& result = account.result;
  std::cout << account.verb << " " << account.file << ": " << WithCommas(result.received)
            << " received";
  if (result.already_known > 0) {
    std::cout << ", " << WithCommas(result.already_known) << " known before";
  }
  std::cout << absl::StrFormat(", %.1f s, ", absl::ToDoubleSeconds(account.time))
            << RateOf(result.received, account.time) << "\n";
  const int64_t on_reconnect = AcknowledgedOnReconnect(result);
  PrintOutcomes(result.outcomes, on_reconnect);
  PrintRefusedRows(account);
  if (!result.status.ok()) return;
  if (result.total_records == 0) std::cout << "no rows\n";
  if (on_reconnect > 0) {
    std::cout << "\nthe stream in all, with those acknowledged on reconnect:\n";
    PrintOutcomes(result.totals);
  }
  if (result.already_known > 0) {
    std::cout << "stream " << account.stream
              << " is complete: " << CountOf(result.total_records, "record") << " in all";
    if (result.received == 0) std::cout << "; nothing new, nothing doubled";
    std::cout << "\n";
  }
}

// How to go on after an interrupt or a failure.
void TellHowToGoOn(const Account& account) {
  const int64_t safe = account.result.already_known + account.result.received;
  if (client::ReasonOf(account.result.status) == v1::ERROR_REASON_REPLACE_REFUSED) return;
  std::cerr << CountOf(safe, "record") << (safe == 1 ? " is" : " are") << " safe in stream '"
            << account.stream << "'; run the same command again to go on after "
            << (safe == 1 ? "it" : "them") << "\n";
}

// The file could not be read before anything of it was accepted: nothing came from the server.
bool FailedByFile(const client::IngestResult& result) {
  return result.status.code() == absl::StatusCode::kInvalidArgument &&
         client::ReasonNameOf(result.status).empty() && result.received == 0;
}

// Reads the file again, up to the last of the rows that will be shown.
std::vector<int64_t> LinesOf(const std::vector<v1::RowOutcome>& rows, RecordReader& reader) {
  std::vector<int64_t> lines;
  if (rows.empty() || !reader.Rewind().ok()) return lines;
  std::vector<Cell> cells;
  int64_t next = 0;
  for (const v1::RowOutcome& row : rows) {
    if (row.offset() < next - 1) return lines;
    for (; next <= row.offset(); ++next) {
      absl::StatusOr<bool> more = reader.Next(&cells);
      if (!more.ok() || !*more) return lines;
    }
    lines.push_back(reader.line());
  }
  return lines;
}

// Leaves no empty stream behind; if it cannot be deleted it stays, which harms nothing.
void ForgetStream(Session& session, const std::string& stream) {
  v1::DeleteWriteStreamRequest request;
  request.set_name(session.NameOf("writeStreams", stream));
  session.Call(&v1::StreamService::Stub::DeleteWriteStream, request).status().IgnoreError();
}

}  // namespace

absl::Status RunIngest(
    Session& session, const IngestJob& job, const FileFlags& flags, const std::string& stream,
    RecordReader& reader,
    const std::function<client::IngestResult(client::Client&, const client::IngestOptions&)>& run) {
  absl::StatusOr<client::Client*> connected = session.Connect();
  if (!connected.ok()) return connected.status();
  session.EndInOrder();
  session.set_stream(stream);
  Account account;
  account.verb = job.verb;
  account.file = flags.file;
  account.stream = stream;
  Progress progress(job.verb, session.quiet());
  if (!session.json() && flags.stream.empty()) progress.Say("stream " + stream);
  client::IngestOptions options;
  options.stop = &session.stop();
  bool fresh = false;
  options.on_opened = [&](const v1::StreamOpened& opened) {
    fresh = opened.next_offset() == 0 && !opened.finished();
  };
  options.on_progress = [&](const client::IngestResult& so_far) {
    progress.Update(reader.file().fraction(), so_far.received);
  };
  options.on_row = [&](const v1::RowOutcome& row) {
    if (account.rows.size() < kShownRows) account.rows.push_back(row);
  };
  options.on_wait = [&](const absl::Status& status, absl::Duration wait) {
    progress.Say(absl::StrFormat("%s; again in %.1f s", std::string(status.message()),
                                 absl::ToDoubleSeconds(wait)));
  };
  const absl::Time began = absl::Now();
  account.result = run(**connected, options);
  account.time = absl::Now() - began;
  progress.End();
  if (fresh && FailedByFile(account.result)) ForgetStream(session, stream);
  if (session.json()) {
    PrintAccountJson(account);
  } else {
    account.lines = LinesOf(account.rows, reader);
    PrintAccount(account);
  }
  const bool opened = account.result.already_known + account.result.received > 0;
  if (!account.result.status.ok() && opened && !session.json()) TellHowToGoOn(account);
  if (account.result.status.ok() && flags.strict && RefusedOf(account.result.totals) > 0) {
    session.Refuse();
  }
  return account.result.status;
}

}  // namespace passerelle::tools
