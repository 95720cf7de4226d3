// The suppression list: put addresses on it, take them off, list it, write it to a file.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/records/cell_value.h"
#include "tools/passerelle/records/record_reader.h"
#include "tools/passerelle/resource_commands.h"
#include "tools/passerelle/row_output.h"

namespace passerelle::tools {
namespace {

using Stub = v1::SuppressionService::Stub;

constexpr int kRowsPerCall = 10'000;
constexpr int kRefusedShown = 20;
// The columns of an export, which an import takes as they are.
const std::vector<std::string> kExportColumns = {"key_id", "hash", "channel", "reason",
                                                 "create_time"};

struct Flags {
  std::string file;
  std::string address;   // NAMESPACE:VALUE instead of a file
  std::string identity;  // NAMESPACE=COLUMN; empty: the file is an export
  std::string channel;
  std::string reason;
};

// The rows of a file, or the one of --address.
class Rows {
 public:
  static absl::StatusOr<std::unique_ptr<Rows>> Open(const Flags& flags) {
    std::unique_ptr<Rows> rows(new Rows(flags));
    if (!flags.address.empty()) return rows;
    auto reader = OpenRecords(flags.file, {});
    if (!reader.ok()) return reader.status();
    rows->reader_ = *std::move(reader);
    absl::Status selected = rows->SelectColumns();
    if (!selected.ok()) return selected;
    return rows;
  }

  // False: there are no more.
  absl::StatusOr<bool> Next(v1::SuppressionRow* row) {
    row->set_channel(flags_.channel);
    row->set_reason(flags_.reason);
    if (reader_ == nullptr) return Only(row);
    std::vector<Cell> cells;
    auto more = reader_->Next(&cells);
    if (!more.ok() || !*more) return more;
    if (!name_space_.empty()) {
      row->mutable_identity()->set_namespace_(name_space_);
      row->mutable_identity()->set_value(cells[0].text);
      return true;
    }
    row->mutable_address_hash()->set_key_id(cells[0].text);
    row->mutable_address_hash()->set_hash(cells[1].text);
    row->set_channel(cells[2].text);
    row->set_reason(cells[3].text);
    if (cells[4].text.empty()) return true;
    auto time = ParseTime(absl::StrCat(flags_.file, ": line ", reader_->line(), ": create_time"),
                          cells[4].text);
    if (!time.ok()) return time.status();
    *row->mutable_create_time() = *time;
    return true;
  }

 private:
  explicit Rows(const Flags& flags) : flags_(flags) {}

  absl::Status SelectColumns() {
    if (flags_.identity.empty()) return reader_->Select(kExportColumns);
    auto pair = ParsePair("--identity", flags_.identity, "NAMESPACE=COLUMN");
    if (!pair.ok()) return pair.status();
    name_space_ = pair->first;
    return reader_->Select({pair->second});
  }

  absl::StatusOr<bool> Only(v1::SuppressionRow* row) {
    if (given_) return false;
    given_ = true;
    auto identity = ParseIdentity(flags_.address);
    if (!identity.ok()) return identity.status();
    *row->mutable_identity() = *identity;
    return true;
  }

  const Flags flags_;
  std::unique_ptr<RecordReader> reader_;
  std::string name_space_;
  bool given_ = false;
};

class Tally {
 public:
  template <typename Response>
  void Add(const Response& response, int64_t first) {
    for (const v1::OutcomeCount& count : response.counts()) {
      counts_[OutcomeWords(count.outcome())] += count.rows();
      received_ += count.rows();
      if (count.outcome() == v1::OUTCOME_REJECTED) refused_ += count.rows();
    }
    for (const v1::RowOutcome& row : response.rows()) {
      if (row.outcome() != v1::OUTCOME_REJECTED || shown_.size() >= kRefusedShown) continue;
      shown_.push_back(absl::StrCat("row ", first + row.offset() + 1, ": ", row.field(), ": ",
                                    EnumWords(v1::RowReason_Name(row.reason()))));
    }
  }

  void Print(Session& session) const {
    if (session.json()) {
      Json counts = Json::object();
      for (const auto& [words, rows] : counts_) counts[words] = rows;
      PrintJson(Json{{"received", received_}, {"outcomes", counts}, {"refused", shown_}});
    } else if (!session.quiet()) {
      std::cout << WithCommas(received_) << " received";
      for (const auto& [words, rows] : counts_)
        std::cout << ", " << words << " " << WithCommas(rows);
      std::cout << "\n";
      for (const std::string& line : shown_) std::cerr << line << "\n";
    }
    if (refused_ != 0) session.Refuse();
  }

 private:
  std::map<std::string, int64_t> counts_;
  int64_t received_ = 0;
  int64_t refused_ = 0;
  std::vector<std::string> shown_;
};

template <typename Request, typename Response>
using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

// Sends all rows, then waits until the list holds for all profiles, however long that takes.
template <typename Request, typename Response>
absl::Status Send(Session& session, const Flags& flags, Method<Request, Response> method) {
  if (flags.file.empty() == flags.address.empty()) {
    return absl::InvalidArgumentError("wanted a file or --address NAMESPACE:VALUE");
  }
  auto rows = Rows::Open(flags);
  if (!rows.ok()) return rows.status();
  Tally tally;
  int64_t first = 0;
  bool more = true;
  while (more) {
    Request request;
    request.set_parent(session.InstanceName());
    request.set_more_follows(true);
    while (more && request.rows_size() < kRowsPerCall) {
      v1::SuppressionRow row;
      auto next = (*rows)->Next(&row);
      if (!next.ok()) return next.status();
      more = *next;
      if (more) *request.add_rows() = std::move(row);
    }
    auto response = session.Call(method, request);
    if (!response.ok()) return response.status();
    tally.Add(*response, first);
    first += request.rows_size();
  }
  Request wait;
  wait.set_parent(session.InstanceName());
  absl::StatusOr<Response> waited = absl::DeadlineExceededError("");
  while (absl::IsDeadlineExceeded(waited.status())) waited = session.Call(method, wait);
  if (waited.ok()) tally.Print(session);
  return waited.status();
}

Json RowOf(const v1::Suppression& entry) {
  const Json json = ToJson(entry);
  return Json{{"key_id", entry.address_hash().key_id()},
              {"hash", entry.address_hash().hash()},
              {"channel", entry.channel()},
              {"reason", entry.reason()},
              {"create_time", json["create_time"]}};
}

absl::Status ForEachEntry(Session& session, const std::function<void(const Json&)>& take) {
  v1::ListSuppressionsRequest request;
  request.set_parent(session.InstanceName());
  request.set_page_size(1'000);
  return ForEachPage(session, &Stub::ListSuppressions, request,
                     [&](const v1::ListSuppressionsResponse& page) {
                       for (const auto& entry : page.suppressions()) take(RowOf(entry));
                     });
}

absl::Status List(Session& session) {
  Json rows = Json::array();
  absl::Status status = ForEachEntry(session, [&](const Json& row) { rows.push_back(row); });
  if (!status.ok()) return status;
  PrintList("suppressions", rows,
            {{"hash", "HASH"},
             {"channel", "CHANNEL"},
             {"reason", "REASON"},
             {"create_time", "SINCE"},
             {"key_id", "KEY"}},
            session.json());
  return absl::OkStatus();
}

absl::Status Export(Session& session, const std::string& path) {
  auto format = RowFormatOf("", path, session.json());
  if (!format.ok()) return format.status();
  auto output = RowOutput::Open({path, *format, RowOutput::Mode::kReplace, -1, false});
  if (!output.ok()) return output.status();
  (*output)->SetColumns(kExportColumns);
  absl::Status status = ForEachEntry(session, [&](const Json& row) {
    std::vector<Json> values;
    for (const std::string& column : kExportColumns) values.push_back(row[column]);
    (*output)->Write(values);
  });
  if (!status.ok()) {
    TellLeft(session, **output, path);
    return status;
  }
  return (*output)->Commit();
}

CLI::App* AddChange(CLI::App* group, const std::string& verb, const std::string& words,
                    const std::shared_ptr<Flags>& flags) {
  CLI::App* added = group->add_subcommand(verb, words);
  auto* file = added->add_option("file", flags->file, "CSV or NDJSON: an export, or addresses");
  added->add_option("--identity", flags->identity, "NAMESPACE=COLUMN that holds the addresses");
  added->add_option("--address", flags->address, "NAMESPACE:VALUE instead of a file")
      ->excludes(file);
  added->add_option("--channel", flags->channel, "The channel; every channel by default");
  return added;
}

}  // namespace

void AddSuppressions(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("suppressions",
                                       "Addresses that must not be reached; only hashes are kept");
  group->require_subcommand(1);
  auto imported = std::make_shared<Flags>();
  CLI::App* import = AddChange(group, "import", "Puts addresses on the list", imported);
  import->add_option("--reason", imported->reason, "Why, at most 256 bytes");
  session.OnRun(import, [&session, imported] {
    return Send<v1::ImportSuppressionsRequest, v1::ImportSuppressionsResponse>(
        session, *imported, &Stub::ImportSuppressions);
  });
  auto deleted = std::make_shared<Flags>();
  CLI::App* remove = AddChange(group, "delete", "Takes addresses off the list", deleted);
  session.OnRun(remove, [&session, deleted] {
    return Send<v1::DeleteSuppressionsRequest, v1::DeleteSuppressionsResponse>(
        session, *deleted, &Stub::DeleteSuppressions);
  });
  CLI::App* list = group->add_subcommand("list", "Lists the hashes");
  session.OnRun(list, [&session] { return List(session); });
  CLI::App* exported =
      group->add_subcommand("export", "Writes the list as a file that import takes elsewhere");
  auto path = std::make_shared<std::string>();
  exported->add_option("--out", *path, "The file to write; standard output by default");
  session.OnRun(exported, [&session, path] { return Export(session, *path); });
}

}  // namespace passerelle::tools
