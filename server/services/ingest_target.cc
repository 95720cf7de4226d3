#include "server/services/ingest_target.h"

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "server/convert/acks.h"
#include "server/convert/names.h"
#include "server/errors.h"
#include "storage/reason.h"

namespace passerelle {
namespace {

const char* NameOf(storage::SyncType type) {
  return type == storage::SyncType::kProfileSync ? "PROFILE_SYNC" : "AUDIENCE_SYNC";
}

absl::StatusOr<OpenInstanceTarget> OpenById(const ServiceContext& context,
                                            const std::string& instance) {
  OpenInstanceTarget target;
  ASSIGN_OR_RETURN(target.stores, OpenInstance(context, instance));
  ASSIGN_OR_RETURN(const storage::Instance settings, context.store->GetInstance(instance));
  target.region = settings.default_region;
  return target;
}

absl::Status NotThere(const OpenInstanceTarget& instance, const WantedDestination& wanted,
                      const storage::ReadContext& read) {
  const absl::Status never = errors::ResourceNotFound(wanted.name);
  if (wanted.stream.empty()) return never;
  const auto state = instance.stores->streams().GetStream(wanted.stream, read);
  if (!state.ok() || !absl::EndsWith(wanted.name, absl::StrCat("/", state->target))) return never;
  return errors::DestinationDeleted(wanted.name);
}

}  // namespace

absl::StatusOr<OpenInstanceTarget> OpenTarget(const ServiceContext& context, std::string_view field,
                                              std::string_view text) {
  ASSIGN_OR_RETURN(const InstanceName name, ParseInstanceName({field, text}));
  return OpenById(context, name.instance);
}

absl::StatusOr<OpenDestinationTarget> OpenDestination(const ServiceContext& context,
                                                      const WantedDestination& wanted,
                                                      const storage::ReadContext& read) {
  ASSIGN_OR_RETURN(const DestinationName name, ParseDestinationName({wanted.field, wanted.name}));
  OpenDestinationTarget target;
  ASSIGN_OR_RETURN(target.instance, OpenById(context, name.instance));
  auto destination = target.instance.stores->flows().GetDestination(name.id, read);
  if (storage::ReasonOf(destination.status()) == storage::Reason::kNotFound) {
    return NotThere(target.instance, wanted, read);
  }
  if (!destination.ok()) return destination.status();
  target.destination = *std::move(destination);
  if (target.destination.sync_type != wanted.sync_type) {
    return errors::WrongSyncType(absl::StrCat("destination ", name.id, " is ",
                                              NameOf(target.destination.sync_type), ", wanted ",
                                              NameOf(wanted.sync_type)));
  }
  if (target.destination.state == storage::FlowState::kPaused) {
    return errors::DestinationPaused(wanted.name);
  }
  return target;
}

absl::StatusOr<storage::WriteAck> SubmitAndWait(SubmitBatch submit) {
  struct Answer {
    absl::Notification given;
    absl::StatusOr<storage::WriteAck> ack = absl::UnknownError("no answer yet");
  };
  // Shared with the store's thread, which may still be in Notify when this one goes on.
  const auto answer = std::make_shared<Answer>();
  storage::Done<storage::WriteAck> done = [answer](absl::StatusOr<storage::WriteAck> ack) {
    answer->ack = std::move(ack);
    answer->given.Notify();
  };
  RETURN_IF_ERROR(submit(done));
  answer->given.WaitForNotification();
  return std::move(answer->ack);
}

void WriteBatchResult(const ServiceContext& context, std::string_view instance,
                      const storage::WriteAck& ack,
                      absl::FunctionRef<std::string_view(int64_t)> key_of,
                      v1::BatchResult* result) {
  for (const storage::RowResult& row : ack.rows) {
    v1::RowOutcome* outcome = result->add_rows();
    WriteRowOutcome(row, outcome);
    outcome->set_record_key(std::string(key_of(row.offset)));
  }
  WriteCounts(ack.counts, result->mutable_counts());
  result->set_commit_token(MakeCommitToken(context, instance, ack.position));
  result->set_repeated_request(ack.repeated_request);
}

}  // namespace passerelle
