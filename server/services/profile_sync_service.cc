#include "server/services/profile_sync_service.h"

#include <memory>
#include <utility>

#include "server/convert/record_rows.h"
#include "server/errors.h"
#include "server/services/ingest_target.h"
#include "server/streams/record_codec.h"
#include "storage/status.h"

namespace passerelle {
namespace {

class SyncCodec final : public RecordCodec<v1::SyncProfilesRequest> {
 public:
  using RecordCodec::RecordCodec;

  std::string WatchedName(const Message& message) const override {
    return Cast(message).open().destination();
  }

  absl::StatusOr<IngestTarget> Resolve(const Message& message,
                                       const storage::ReadContext& read) override {
    const auto& open = Cast(message).open();
    ASSIGN_OR_RETURN(const OpenDestinationTarget target,
                     OpenDestination(context_,
                                     {"open.destination", open.destination(),
                                      storage::SyncType::kProfileSync, open.stream().stream()},
                                     read));
    if (open.fields().empty()) return errors::FieldRequired("open.fields");
    instance_ = target.instance.stores;
    revision_ = target.destination.revision;
    ASSIGN_OR_RETURN(plan_, PlanMapped(*instance_->schema().schema(), target.destination,
                                       {NamesIn(open.identity_namespaces()), NamesIn(open.fields()),
                                        target.instance.region}));
    destination_ = target.destination.number;
    return IngestTarget{instance_, storage::StreamKind::kSyncProfiles, target.destination.id,
                        std::nullopt};
  }

  absl::Status Read(std::shared_ptr<IngestMessage> message, storage::WriteOptions options,
                    const storage::ReadContext&) override {
    const ColumnBatch columns = ColumnsOf(Cast(*message->wire).batch());
    batch_.options = std::move(options);
    batch_.destination = destination_;
    batch_.destination_revision = revision_;
    return ReadRecords(std::move(message), columns, nullptr, &batch_.rows);
  }

  absl::Status Submit(storage::Done<storage::WriteAck>& done) override {
    return instance_->profiles().SubmitUpdates(batch_, done);
  }

 private:
  storage::DestinationNumber destination_;
  int64_t revision_ = 0;
  storage::UpdateBatch batch_;
};

}  // namespace

grpc::ServerBidiReactor<v1::SyncProfilesRequest, v1::SyncProfilesResponse>*
ProfileSyncService::SyncProfiles(grpc::CallbackServerContext* context) {
  return StartIngest<v1::SyncProfilesRequest, v1::SyncProfilesResponse>(
      context_, door_, context, "ProfileSyncService/SyncProfiles",
      std::make_unique<SyncCodec>(context_));
}

grpc::ServerUnaryReactor* ProfileSyncService::BatchUpdateProfiles(
    grpc::CallbackServerContext* context, const v1::BatchUpdateProfilesRequest* request,
    v1::BatchResult* response) {
  return door_.Unary(
      context, "ProfileSyncService/BatchUpdateProfiles", request, response,
      [this](CallContext& call, const v1::BatchUpdateProfilesRequest& asked,
             v1::BatchResult* answer) { return Update(asked, call.ForReading(), answer); });
}

absl::Status ProfileSyncService::Update(const v1::BatchUpdateProfilesRequest& request,
                                        const storage::ReadContext& read,
                                        v1::BatchResult* response) const {
  ASSIGN_OR_RETURN(
      const OpenDestinationTarget target,
      OpenDestination(
          context_, {"destination", request.destination(), storage::SyncType::kProfileSync}, read));
  const std::shared_ptr<storage::InstanceStore>& stores = target.instance.stores;
  const std::shared_ptr<const storage::Schema> schema = stores->schema().schema();
  const RecordKeyWriter record_keys(*context_.keys, /*clear=*/false);
  const RowRules rules{schema.get(), &target.destination, target.instance.region, &record_keys};
  ByteArena bytes;
  storage::UpdateBatch batch;
  batch.destination = target.destination.number;
  batch.destination_revision = target.destination.revision;
  ASSIGN_OR_RETURN(batch.options, BatchOptions("ProfileSyncService/BatchUpdateProfiles", request));
  RETURN_IF_ERROR(ReadRows(rules, request.rows(), &bytes, &batch.rows));
  ASSIGN_OR_RETURN(const storage::WriteAck ack,
                   SubmitAndWait([&](storage::Done<storage::WriteAck>& done) {
                     return stores->profiles().SubmitUpdates(batch, done);
                   }));
  const auto key_of = [&](int64_t row) -> std::string_view {
    return request.rows(static_cast<int>(row)).record_key();
  };
  WriteBatchResult(context_, stores->id(), ack, key_of, response);
  return absl::OkStatus();
}

}  // namespace passerelle
