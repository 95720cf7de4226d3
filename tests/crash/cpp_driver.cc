// One job for the C++ client's loops, told by tests/crash/cut_points.py, which may kill it
// meanwhile.
//
//   crash_driver KIND TARGET NAME FILE BATCH
//
// KIND import, sync, push, replace, append: sends the rows of FILE under the stream NAME.
// KIND export: appends the log rows after the cursor NAME to FILE, one JSON line for each message.
// KIND members: writes the external ids of the audience NAME to FILE, one a line.
// On stdout: one JSON line that tells how it ended. The exit code is 0 then, whatever the line
// says.
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "passerelle/client.h"
#include "passerelle/export.h"
#include "passerelle/ingest.h"

namespace passerelle::client {
namespace {

constexpr char kInstance[] = "instances/default";
constexpr int kUsage = 2;

struct Job {
  std::string kind, target, name, file;
  int batch = 0;
};

// A cell is t and a text, or i and a number.
Value CellValue(const std::string& cell) {
  int64_t number = 0;
  if (cell[0] == 't') return cell.substr(1);
  if (absl::SimpleAtoi(cell.substr(1), &number)) return number;
  return Unreadable();
}

// Lines of: external id, audience index, exited, record key, cells.
std::vector<Row> ReadRows(const std::string& path) {
  std::vector<Row> rows;
  std::ifstream in(path, std::ios::binary);
  for (std::string line; std::getline(in, line);) {
    const std::vector<std::string> parts = absl::StrSplit(line, '\t');
    Row row;
    row.identities = {parts[0]};
    row.audience = parts[1] == "1" ? 1 : 0;
    row.exited = parts[2] == "1";
    row.record_key = parts[3];
    for (std::size_t i = 4; i < parts.size(); ++i) row.fields.push_back(CellValue(parts[i]));
    rows.push_back(std::move(row));
  }
  return rows;
}

// Lines of rows in hexadecimal.
std::vector<v1::RawLogEntry> ReadLogRows(const std::string& path) {
  std::vector<v1::RawLogEntry> rows;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    rows.emplace_back().ParseFromString(absl::HexStringToBytes(line));
  }
  return rows;
}

template <typename Open>
Open OpenWith(const Job& job, const std::vector<std::string>& fields) {
  Open open;
  open.mutable_stream()->set_stream(job.name);
  open.add_identity_namespaces("external_id");
  for (const std::string& field : fields) open.add_fields(field);
  return open;
}

IngestResult Push(Client& client, const Job& job, const IngestOptions& options) {
  const bool replace = job.kind == "replace";
  auto open = OpenWith<v1::PushMembersRequest::Open>(job, {});
  open.set_destination(absl::StrCat(kInstance, "/destinations/", replace ? "whole" : "lists"));
  if (replace) open.mutable_replace();
  for (const char* audience : {"vip", "club"}) {
    if (!replace) open.add_audiences(audience);
  }
  if (replace) open.add_audiences("whole");
  VectorSource<Row> rows(ReadRows(job.file));
  return PushMembers(client, open, rows, options);
}

IngestResult Send(Client& client, const Job& job) {
  IngestOptions options;
  options.max_batch_records = job.batch;
  if (job.kind == "append") {
    v1::AppendLogsRequest::Open open;
    open.set_parent(kInstance);
    open.mutable_stream()->set_stream(job.name);
    VectorSource<v1::RawLogEntry> rows(ReadLogRows(job.file));
    return AppendLogs(client, open, rows, options);
  }
  if (job.kind == "push" || job.kind == "replace") return Push(client, job, options);
  VectorSource<Row> rows(ReadRows(job.file));
  if (job.kind == "sync") {
    auto open = OpenWith<v1::SyncProfilesRequest::Open>(job, {"seq", "note"});
    open.set_destination(absl::StrCat(kInstance, "/destinations/sync"));
    return SyncProfiles(client, open, rows, options);
  }
  auto open = OpenWith<v1::ImportProfilesRequest::Open>(job, {"city", "score"});
  open.set_parent(kInstance);
  return ImportProfiles(client, open, rows, options);
}

nlohmann::json Ingest(Client& client, const Job& job) {
  const IngestResult result = Send(client, job);
  return {{"ok", result.status.ok()},
          {"error", std::string(result.status.message())},
          {"total", result.total_records},
          {"reconnects", result.reconnects}};
}

nlohmann::json Export(Client& client, const Job& job) {
  std::ofstream out(job.file, std::ios::app | std::ios::binary);
  v1::ExportLogsRequest request;
  request.set_name(kInstance);
  request.set_cursor(job.name);
  request.set_max_batch_rows(job.batch);
  const auto take = [&](const v1::ExportLogsResponse& response) {
    nlohmann::json line = {{"cursor", response.cursor()}, {"rows", nlohmann::json::array()}};
    for (v1::LogEntry row : response.rows()) {
      const int64_t sequence = row.sequence();
      row.clear_sequence();
      row.clear_append_time_us();
      row.clear_profile();
      row.clear_profile_unknown();
      line["rows"].push_back({sequence, absl::BytesToHexString(row.SerializeAsString())});
    }
    out << line.dump() + "\n" << std::flush;
    return out.good() ? absl::OkStatus() : absl::DataLossError("cannot write");
  };
  const LogExportResult result = ExportLogs(client, request, take);
  return {{"ok", result.status.ok()},
          {"error", std::string(result.status.message())},
          {"total", result.rows},
          {"reconnects", result.reconnects}};
}

nlohmann::json Members(Client& client, const Job& job) {
  std::ofstream out(job.file, std::ios::trunc);
  v1::StreamMembersRequest request;
  request.set_audience(absl::StrCat(kInstance, "/audiences/", job.name));
  request.mutable_reach()->set_channel("push");
  request.set_max_batch_members(job.batch);
  const auto take = [&](const v1::StreamMembersResponse& response) {
    if (!response.has_batch()) return absl::OkStatus();
    for (const std::string& id : response.batch().identities(0).texts()) out << id << "\n";
    return absl::OkStatus();
  };
  const MembersResult result = StreamMembers(client, request, take);
  return {{"ok", result.status.ok()},
          {"error", std::string(result.status.message())},
          {"total", result.trailer.streamed()},
          {"reconnects", result.reconnects}};
}

int Main(int count, char** arguments) {
  Job job;
  if (count != 6 || !absl::SimpleAtoi(arguments[5], &job.batch)) {
    std::cerr << "usage: crash_driver KIND TARGET NAME FILE BATCH\n";
    return kUsage;
  }
  job.kind = arguments[1];
  job.target = arguments[2];
  job.name = arguments[3];
  job.file = arguments[4];
  ConnectOptions options;
  options.connect_timeout = absl::ZeroDuration();  // the loops wait for the server themselves
  auto client = Client::Connect(job.target, options);
  if (!client.ok()) {
    std::cerr << client.status() << "\n";
    return kUsage;
  }
  const auto run = job.kind == "export" ? Export : job.kind == "members" ? Members : Ingest;
  std::cout << run(**client, job).dump() << std::endl;
  return 0;
}

}  // namespace
}  // namespace passerelle::client

int main(int count, char** arguments) { return passerelle::client::Main(count, arguments); }
