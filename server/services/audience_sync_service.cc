#include "server/services/audience_sync_service.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/names.h"
#include "server/convert/record_rows.h"
#include "server/convert/times.h"
#include "server/errors.h"
#include "server/services/ingest_target.h"
#include "server/streams/record_codec.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr double kMaxPercent = 100;

class PushCodec final : public RecordCodec<v1::PushMembersRequest> {
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
                                      storage::SyncType::kAudienceSync, open.stream().stream()},
                                     read));
    instance_ = target.instance.stores;
    destination_ = target.destination.number;
    revision_ = target.destination.revision;
    ASSIGN_OR_RETURN(plan_, PlanMapped(*instance_->schema().schema(), target.destination,
                                       {NamesIn(open.identity_namespaces()), NamesIn(open.fields()),
                                        target.instance.region}));
    RETURN_IF_ERROR(OpenAudiences(open, target.destination));
    IngestTarget opened{instance_, storage::StreamKind::kPushMembers, target.destination.id,
                        std::nullopt};
    if (!open.has_replace()) return opened;
    opened.kind = storage::StreamKind::kReplaceMembers;
    ASSIGN_OR_RETURN(opened.replace, ReadReplace(open.replace()));
    opened.replace->audience = first_audience_;
    return opened;
  }

  absl::Status Read(std::shared_ptr<IngestMessage> message, storage::WriteOptions options,
                    const storage::ReadContext&) override {
    const auto& batch = Cast(*message->wire).batch();
    ColumnBatch columns = ColumnsOf(batch);
    columns.audience_indexes = &batch.audience_indexes();
    columns.statuses = &batch.statuses();
    if (batch.has_qualification_times()) {
      columns.qualification_times = &batch.qualification_times();
    }
    batch_.options = std::move(options);
    batch_.destination = destination_;
    batch_.destination_revision = revision_;
    batch_.audiences = numbers_;
    batch_.replace = replace_;
    return ReadRecords(std::move(message), columns, &source_ids_, &batch_.rows);
  }

  absl::Status Submit(storage::Done<storage::WriteAck>& done) override {
    return instance_->audiences().SubmitPush(batch_, done);
  }

 private:
  absl::Status OpenAudiences(const v1::PushMembersRequest::Open& open,
                             const storage::Destination& destination) {
    replace_ = open.has_replace();
    if (open.audiences().empty()) return errors::FieldRequired("open.audiences");
    if (replace_ && open.audiences_size() != 1) {
      return errors::FieldInvalid(
          {"open.audiences", absl::StrCat("got ", open.audiences_size(), ", a replace wants one")});
    }
    for (int i = 0; i < open.audiences_size(); ++i) {
      const auto& known = destination.audiences;
      const auto found = std::find_if(known.begin(), known.end(), [&](const auto& audience) {
        return audience.source_id == open.audiences(i);
      });
      if (found == known.end()) {
        return errors::AudienceNotInDestination(
            {absl::StrCat("open.audiences[", i, "]"),
             absl::StrCat(Quoted(open.audiences(i)), " is not in destination ", destination.id)});
      }
      if (i == 0) first_audience_ = found->audience;
      source_ids_.push_back(found->source_id);
      numbers_.push_back(found->number);
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<storage::ReplaceOptions> ReadReplace(
      const v1::PushMembersRequest::Replace& replace) {
    storage::ReplaceOptions options;
    if (replace.has_as_of()) {
      options.as_of_us = MicrosOf(replace.as_of());
      if (!options.as_of_us.has_value()) {
        return errors::FieldInvalid({"open.replace.as_of", "outside the years 1 to 9999"});
      }
    }
    if (!replace.has_max_refused_percent()) return options;
    options.max_refused_percent = replace.max_refused_percent();
    const double percent = replace.max_refused_percent();
    if (percent >= 0 && percent <= kMaxPercent) return options;
    return errors::FieldInvalid({"open.replace.max_refused_percent", "not within 0 to 100"});
  }

  storage::DestinationNumber destination_;
  int64_t revision_ = 0;
  bool replace_ = false;
  std::string first_audience_;
  std::vector<std::string> source_ids_;
  std::vector<storage::AudienceNumber> numbers_;
  storage::PushBatch batch_;
};

}  // namespace

grpc::ServerBidiReactor<v1::PushMembersRequest, v1::PushMembersResponse>*
AudienceSyncService::PushMembers(grpc::CallbackServerContext* context) {
  return StartIngest<v1::PushMembersRequest, v1::PushMembersResponse>(
      context_, door_, context, "AudienceSyncService/PushMembers",
      std::make_unique<PushCodec>(context_));
}

grpc::ServerUnaryReactor* AudienceSyncService::BatchPushMembers(
    grpc::CallbackServerContext* context, const v1::BatchPushMembersRequest* request,
    v1::BatchResult* response) {
  return door_.Unary(
      context, "AudienceSyncService/BatchPushMembers", request, response,
      [this](CallContext& call, const v1::BatchPushMembersRequest& asked, v1::BatchResult* answer) {
        return Push(asked, call.ForReading(), answer);
      });
}

absl::Status AudienceSyncService::Push(const v1::BatchPushMembersRequest& request,
                                       const storage::ReadContext& read,
                                       v1::BatchResult* response) const {
  ASSIGN_OR_RETURN(
      const OpenDestinationTarget target,
      OpenDestination(context_,
                      {"destination", request.destination(), storage::SyncType::kAudienceSync},
                      read));
  const std::shared_ptr<storage::InstanceStore>& stores = target.instance.stores;
  const std::shared_ptr<const storage::Schema> schema = stores->schema().schema();
  const RecordKeyWriter record_keys(*context_.keys, /*clear=*/false);
  const RowRules rules{schema.get(), &target.destination, target.instance.region, &record_keys};
  ByteArena bytes;
  storage::PushBatch batch;
  batch.destination = target.destination.number;
  batch.destination_revision = target.destination.revision;
  for (const auto& audience : target.destination.audiences) {
    batch.audiences.push_back(audience.number);
  }
  ASSIGN_OR_RETURN(batch.options, BatchOptions("AudienceSyncService/BatchPushMembers", request));
  RETURN_IF_ERROR(ReadMemberships(rules, request.rows(), &bytes, &batch.rows));
  ASSIGN_OR_RETURN(const storage::WriteAck ack,
                   SubmitAndWait([&](storage::Done<storage::WriteAck>& done) {
                     return stores->audiences().SubmitPush(batch, done);
                   }));
  const auto key_of = [&](int64_t row) -> std::string_view {
    return request.rows(static_cast<int>(row)).profile().record_key();
  };
  WriteBatchResult(context_, stores->id(), ack, key_of, response);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AudienceSyncService::AbandonReplace(
    grpc::CallbackServerContext* context, const v1::AbandonReplaceRequest* request,
    v1::AbandonReplaceResponse* response) {
  return door_.Unary(
      context, "AudienceSyncService/AbandonReplace", request, response,
      [this](CallContext& call, const v1::AbandonReplaceRequest& asked,
             v1::AbandonReplaceResponse* answer) { return Abandon(call, asked, answer); });
}

absl::Status AudienceSyncService::Abandon(CallContext& call,
                                          const v1::AbandonReplaceRequest& request,
                                          v1::AbandonReplaceResponse* response) const {
  ASSIGN_OR_RETURN(const WriteStreamName name, ParseWriteStreamName({"stream", request.stream()}));
  ASSIGN_OR_RETURN(const auto stores, OpenInstance(context_, name.instance));
  const auto abandoned = stores->streams().AbandonReplace(name.id);
  if (storage::ReasonOf(abandoned.status()) == storage::Reason::kNotFound) {
    return errors::ResourceNotFound(request.stream());
  }
  if (!abandoned.ok()) return abandoned.status();
  response->set_abandoned_records(abandoned->value);
  call.AddTrailer("commit-token", MakeCommitToken(context_, name.instance, abandoned->position));
  return absl::OkStatus();
}

}  // namespace passerelle
