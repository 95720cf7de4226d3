#include "server/services/profile_ingest.h"

#include <memory>
#include <utility>

#include "server/convert/record_rows.h"
#include "server/services/ingest_target.h"
#include "server/streams/record_codec.h"
#include "storage/status.h"

namespace passerelle {
namespace {

class ImportCodec final : public RecordCodec<v1::ImportProfilesRequest> {
 public:
  using RecordCodec::RecordCodec;

  std::string WatchedName(const Message&) const override { return {}; }

  absl::StatusOr<IngestTarget> Resolve(const Message& message,
                                       const storage::ReadContext&) override {
    const auto& open = Cast(message).open();
    ASSIGN_OR_RETURN(OpenInstanceTarget target, OpenTarget(context_, "open.parent", open.parent()));
    instance_ = target.stores;
    ASSIGN_OR_RETURN(
        plan_, PlanImport(*instance_->schema().schema(), {NamesIn(open.identity_namespaces()),
                                                          NamesIn(open.fields()), target.region}));
    return IngestTarget{instance_, storage::StreamKind::kImportProfiles, "", std::nullopt};
  }

  absl::Status Read(std::shared_ptr<IngestMessage> message, storage::WriteOptions options,
                    const storage::ReadContext&) override {
    const ColumnBatch columns = ColumnsOf(Cast(*message->wire).batch());
    batch_.options = std::move(options);
    return ReadRecords(std::move(message), columns, nullptr, &batch_.rows);
  }

  absl::Status Submit(storage::Done<storage::WriteAck>& done) override {
    return instance_->importer().SubmitImport(batch_, done);
  }

 private:
  storage::ImportBatch batch_;
};

}  // namespace

grpc::ServerBidiReactor<v1::ImportProfilesRequest, v1::ImportProfilesResponse>* ImportProfiles(
    const ServiceContext& context, Door& door, grpc::CallbackServerContext* grpc_context) {
  return StartIngest<v1::ImportProfilesRequest, v1::ImportProfilesResponse>(
      context, door, grpc_context, "ProfileService/ImportProfiles",
      std::make_unique<ImportCodec>(context));
}

absl::Status BatchImportProfiles(const ServiceContext& context,
                                 const v1::BatchImportProfilesRequest& request,
                                 v1::BatchResult* response) {
  ASSIGN_OR_RETURN(const OpenInstanceTarget target,
                   OpenTarget(context, "parent", request.parent()));
  const std::shared_ptr<const storage::Schema> schema = target.stores->schema().schema();
  const RecordKeyWriter record_keys(*context.keys, /*clear=*/false);
  const RowRules rules{schema.get(), nullptr, target.region, &record_keys};
  ByteArena bytes;
  storage::ImportBatch batch;
  ASSIGN_OR_RETURN(batch.options, BatchOptions("ProfileService/BatchImportProfiles", request));
  RETURN_IF_ERROR(ReadRows(rules, request.rows(), &bytes, &batch.rows));
  ASSIGN_OR_RETURN(const storage::WriteAck ack,
                   SubmitAndWait([&](storage::Done<storage::WriteAck>& done) {
                     return target.stores->importer().SubmitImport(batch, done);
                   }));
  const auto key_of = [&](int64_t row) -> std::string_view {
    return request.rows(static_cast<int>(row)).record_key();
  };
  WriteBatchResult(context, target.stores->id(), ack, key_of, response);
  return absl::OkStatus();
}

}  // namespace passerelle
