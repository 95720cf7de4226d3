// The run of a file's ingest: progress while it goes, an account at the end.
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
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

struct Account {
  std::string verb;
  std::string file;
  std::string stream;
  client::IngestResult result;
  std::vector<v1::RowOutcome> rows;  // the first that did not simply apply
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
                 {"commit_token", result.commit_token},
                 {"seconds", absl::ToDoubleSeconds(account.time)}});
}

void PrintRefusedRows(const Account& account) {
  if (account.rows.empty()) return;
  Json rows = Json::array();
  for (const v1::RowOutcome& row : account.rows) {
    rows.push_back({{"row", row.offset() + 1},
                    {"outcome", OutcomeWords(row.outcome())},
                    {"reason", EnumWords(v1::RowReason_Name(row.reason()))},
                    {"field", row.field()}});
  }
  std::cout << "\nrows that did not simply apply:\n";
  PrintTable(rows, {{"row", "ROW"}, {"outcome", "OUTCOME"}, {"reason", "WHY"}, {"field", "FIELD"}});
  if (account.rows.size() == kShownRows) {
    std::cout << "all of them: passerelle streams outcomes " << account.stream << "\n";
  }
}

void PrintOutcomes(const std::map<v1::Outcome, int64_t>& outcomes) {
  Json rows = Json::array();
  for (const auto& [outcome, count] : outcomes) {
    rows.push_back({{"outcome", OutcomeWords(outcome)}, {"rows", WithCommas(count)}});
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
  PrintOutcomes(result.outcomes);
  PrintRefusedRows(account);
  if (!result.status.ok()) return;
  if (result.already_known > 0) {
    std::cout << "stream " << account.stream << " is complete: " << WithCommas(result.total_records)
              << " records in all";
    if (result.received == 0) std::cout << "; nothing new, nothing doubled";
    std::cout << "\n";
  }
}

// How to go on after an interrupt or a failure.
void TellHowToGoOn(const Account& account) {
  const int64_t safe = account.result.already_known + account.result.received;
  std::cerr << WithCommas(safe) << " records are safe in stream '" << account.stream
            << "'; run the same command again to go on after them\n";
}

}  // namespace

absl::Status RunIngest(
    Session& session, const IngestJob& job, const FileFlags& flags, const std::string& stream,
    RecordReader& reader,
    const std::function<client::IngestResult(client::Client&, const client::IngestOptions&)>& run) {
  absl::StatusOr<client::Client*> connected = session.Connect();
  if (!connected.ok()) return connected.status();
  session.EndInOrder();
  Account account;
  account.verb = job.verb;
  account.file = flags.file;
  account.stream = stream;
  Progress progress(job.verb, session.quiet());
  if (!session.json() && flags.stream.empty()) progress.Say("stream " + stream);
  client::IngestOptions options;
  options.stop = &session.stop();
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
  if (session.json()) {
    PrintAccountJson(account);
  } else {
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
