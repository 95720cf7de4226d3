#include "server/services/log_append.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "server/convert/log_entries.h"
#include "server/convert/record_columns.h"
#include "server/limits.h"
#include "server/services/ingest_target.h"
#include "server/streams/message_codec.h"
#include "storage/status.h"

namespace passerelle {
namespace {

// Finds the profile of every row that names an identity; rows of one message often name many.
absl::Status FindProfiles(const storage::ProfileStore& profiles, const storage::ReadContext& read,
                          std::vector<storage::LogRecord>* rows) {
  std::vector<storage::IdentityCell> identities;
  std::vector<storage::LogRow*> waiting;
  for (storage::LogRecord& record : *rows) {
    if (record.refusal.has_value() || !record.row.identity_ns) continue;
    identities.push_back({record.row.identity_ns, record.row.identity, false});
    waiting.push_back(&record.row);
  }
  if (identities.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<storage::ProfileId> found,
                   profiles.LookupProfiles(identities, read));
  for (std::size_t i = 0; i < waiting.size(); ++i) waiting[i]->profile = found[i].value;
  return absl::OkStatus();
}

class AppendCodec final : public MessageCodec<v1::AppendLogsRequest> {
 public:
  explicit AppendCodec(const ServiceContext& context) : context_(context) {}

  std::string WatchedName(const Message&) const override { return {}; }
  bool ReadsStore() const override { return true; }

  absl::StatusOr<IngestTarget> Resolve(const Message& message,
                                       const storage::ReadContext&) override {
    ASSIGN_OR_RETURN(OpenInstanceTarget target,
                     OpenTarget(context_, "open.parent", Cast(message).open().parent()));
    instance_ = target.stores;
    region_ = target.region;
    return IngestTarget{instance_, storage::StreamKind::kAppendLogs, "", std::nullopt};
  }

  void Begin(const Mode& mode) override {
    record_keys_.emplace(*context_.keys, mode.clear_record_keys);
    named_ = mode.named;
  }

  std::string_view RecordKeyOf(const Message& message, int64_t index) const override {
    const auto& keys = Cast(message).batch().record_keys();
    if (index < 0 || index >= keys.size()) return {};
    return keys[static_cast<int>(index)];
  }

  absl::Status Read(std::shared_ptr<IngestMessage> message, storage::WriteOptions options,
                    const storage::ReadContext& read) override {
    const auto& batch = Cast(*message->wire).batch();
    RETURN_IF_ERROR(CheckBatchSize(batch.rows_size(), kMaxRecordsPerMessage));
    RefreshNamespaces();
    const LogRules rules{&*identities_, &*record_keys_, named_};
    batch_ = storage::AppendBatch();
    batch_.options = std::move(options);
    RETURN_IF_ERROR(ReadLogEntries<v1::RawLogEntry>(rules, {&batch.rows(), &batch.record_keys()},
                                                    &message->bytes, &batch_.rows));
    RETURN_IF_ERROR(FindProfiles(instance_->profiles(), read, &batch_.rows));
    batch_.keepalive = std::move(message);
    return absl::OkStatus();
  }

  absl::Status Submit(storage::Done<storage::WriteAck>& done) override {
    return instance_->logs().SubmitAppend(batch_, done);
  }
  void OnSpace(absl::AnyInvocable<void()> callback) override {
    instance_->streams().OnLogsSpace(std::move(callback));
  }

 private:
  // Rows name their namespaces one by one, so one that is added in mid-stream counts at once.
  void RefreshNamespaces() {
    auto schema = instance_->schema().schema();
    if (identities_.has_value() && schema->revision() == revision_) return;
    revision_ = schema->revision();
    identities_.emplace(std::move(schema), region_);
  }

  const ServiceContext context_;
  std::shared_ptr<storage::InstanceStore> instance_;
  std::string region_;
  int64_t revision_ = 0;
  std::optional<LogIdentities> identities_;
  std::optional<RecordKeyWriter> record_keys_;
  bool named_ = false;
  storage::AppendBatch batch_;
};

}  // namespace

grpc::ServerBidiReactor<v1::AppendLogsRequest, v1::AppendLogsResponse>* AppendLogs(
    const ServiceContext& context, Door& door, grpc::CallbackServerContext* grpc_context) {
  return StartIngest<v1::AppendLogsRequest, v1::AppendLogsResponse>(
      context, door, grpc_context, "LogService/AppendLogs", std::make_unique<AppendCodec>(context));
}

absl::Status BatchAppendLogs(const ServiceContext& context,
                             const v1::BatchAppendLogsRequest& request,
                             const storage::ReadContext& read, v1::BatchResult* response) {
  ASSIGN_OR_RETURN(const OpenInstanceTarget target,
                   OpenTarget(context, "parent", request.parent()));
  RETURN_IF_ERROR(CheckBatchSize(request.rows_size(), kMaxRecordsPerUnaryBatch));
  const LogIdentities identities(target.stores->schema().schema(), target.region);
  const RecordKeyWriter record_keys(*context.keys, /*clear=*/false);
  ByteArena bytes;
  storage::AppendBatch batch;
  ASSIGN_OR_RETURN(batch.options, BatchOptions("LogService/BatchAppendLogs", request));
  RETURN_IF_ERROR(ReadLogEntries<v1::LogEntry>({&identities, &record_keys, /*hash_content=*/false},
                                               {&request.rows(), nullptr}, &bytes, &batch.rows));
  RETURN_IF_ERROR(FindProfiles(target.stores->profiles(), read, &batch.rows));
  ASSIGN_OR_RETURN(const storage::WriteAck ack,
                   SubmitAndWait([&](storage::Done<storage::WriteAck>& done) {
                     return target.stores->logs().SubmitAppend(batch, done);
                   }));
  const auto no_key = [](int64_t) { return std::string_view(); };
  WriteBatchResult(context, target.stores->id(), ack, no_key, response);
  return absl::OkStatus();
}

}  // namespace passerelle
