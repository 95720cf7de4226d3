#include "tests/model/wire_system.h"

#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "passerelle/error.h"
#include "passerelle/v1/maintenance_service.grpc.pb.h"

namespace passerelle::model {

std::string NameOf(const char* collection, const std::string& id) {
  return absl::StrCat(kInstance, "/", collection, "/", id);
}

std::string IdOf(const std::string& name) { return name.substr(name.rfind('/') + 1); }

google::protobuf::Timestamp WireTime(int64_t us) {
  google::protobuf::Timestamp time;
  time.set_seconds(us / kSecondUs);
  time.set_nanos(static_cast<int32_t>(us % kSecondUs * 1'000));
  return time;
}

std::string WireText(const absl::Status& status) {
  const std::string reason = client::ReasonNameOf(status);
  std::string text = absl::StrCat(absl::StatusCodeToString(status.code()), " ",
                                  reason.empty() ? std::string(status.message()) : reason);
  for (const char* key : {"next_offset", "offset", "rows"}) {
    const std::string value = client::MetadataOf(status, key);
    if (!value.empty()) absl::StrAppend(&text, " ", key, "=", value);
  }
  return text;
}

RowAnswer AnswerOf(const v1::RowOutcome& row) {
  RowAnswer answer;
  answer.offset = row.offset();
  answer.key = row.record_key();
  answer.outcome = v1::Outcome_Name(row.outcome()).substr(8);  // OUTCOME_
  if (row.reason() != v1::ROW_REASON_UNSPECIFIED) {
    answer.reason = v1::RowReason_Name(row.reason()).substr(11);  // ROW_REASON_
  }
  answer.field = row.field();
  answer.stale = {row.stale_fields().begin(), row.stale_fields().end()};
  answer.out_of_scope = {row.out_of_scope_fields().begin(), row.out_of_scope_fields().end()};
  answer.created = row.profile_created();
  answer.membership = row.membership_changed();
  answer.attributes = row.attributes_changed();
  answer.unknown = row.profile_unknown();
  return answer;
}

WireSystem::WireSystem(const TimeText& times, const std::string& program,
                       const std::string& directory)
    : times_(times), server_(program, directory) {
  Connect();
}

void WireSystem::Connect() {
  sessions_.clear();
  auto client = client::Client::Connect(server_.address());
  if (!client.ok()) throw std::runtime_error(client.status().ToString());
  client_ = *std::move(client);
}

std::string WireSystem::Restart(const Operation& op) {
  sessions_.clear();
  server_.Restart(/*kill=*/op.altered);
  Connect();
  return "OK";
}

std::string WireSystem::Leave(const Operation& op) {
  sessions_.erase(op.session);
  return "OK";
}

std::string WireSystem::Backup() {
  grpc::ClientContext context;
  const auto stub = v1::MaintenanceService::NewStub(client_->channel());
  v1::BackupRequest request;
  request.set_backup_id(absl::StrCat("set", ++backups_));
  const auto stream = stub->Backup(&context, request);
  v1::BackupResponse message;
  std::string folder;
  while (stream->Read(&message)) {
    if (message.has_summary()) folder = message.summary().folder();
  }
  const absl::Status ended = client::FromGrpc(stream->Finish());
  if (!ended.ok()) return WireText(ended);
  backup_ = folder;
  saved_names_ = names_;
  return folder.empty() ? "no summary" : "OK";
}

std::string WireSystem::Restore() {
  sessions_.clear();
  notes_.clear();
  if (!server_.Restore(backup_)) return "the restore failed";
  Connect();
  names_ = saved_names_;
  return "OK";
}

int WireSystem::NameOf(int64_t profile) const {
  const auto found = names_.find(profile);
  return found == names_.end() ? -1 : found->second;
}

}  // namespace passerelle::model
