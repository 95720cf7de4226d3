// Consumers of SourceService: who reads a source, and how far.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/convert/fields.h"
#include "server/convert/log_filter.h"
#include "server/convert/masks.h"
#include "server/convert/source.h"
#include "server/errors.h"
#include "server/services/export_errors.h"
#include "server/services/pages.h"
#include "server/services/source_service.h"

namespace passerelle {
namespace {

SourceName SourceOf(const ConsumerName& name) { return {name.instance, name.source}; }

// What a cursor of the source, as it is now, is bound to.
ExportCursor Binding(const SourceName& name, const storage::Source& source, int64_t epoch) {
  ExportCursor cursor;
  cursor.instance = name.instance;
  cursor.source = name.id;
  cursor.filter_hash = HashOf(FilterOf(source));
  cursor.epoch = static_cast<uint64_t>(epoch);
  return cursor;
}

// An empty mask names both: without either the server's setting counts again.
google::protobuf::FieldMask WithBothPins(google::protobuf::FieldMask mask) {
  if (!mask.paths().empty()) return mask;
  mask.add_paths("max_pin");
  mask.add_paths("pin_forever");
  return mask;
}

bool Names(const google::protobuf::FieldMask& mask, const char* field) {
  return std::count(mask.paths().begin(), mask.paths().end(), field) > 0;
}

// Setting one of both ends the other, whether or not the mask names that.
void EndOtherPin(const v1::Consumer& patch, const google::protobuf::FieldMask& mask,
                 v1::Consumer* merged) {
  const bool for_a_time = patch.has_max_pin() && Names(mask, "max_pin");
  const bool for_ever = patch.pin_forever() && Names(mask, "pin_forever");
  if (for_a_time && !for_ever) merged->clear_pin_forever();
  if (for_ever && !for_a_time) merged->clear_max_pin();
}

absl::Status MustBeTrue(const char* field) {
  return errors::FieldInvalid({field, "got false, wanted true"});
}

}  // namespace

absl::StatusOr<SourceService::CursorOwner> SourceService::FindOwner(
    const SourceName& name, storage::InstanceStore& instance,
    const storage::ReadContext& read) const {
  auto source = instance.flows().GetSource(name.id, read);
  if (!source.ok()) return ForResource(source.status(), ToText(name));
  ASSIGN_OR_RETURN(const storage::LogBounds bounds, instance.logs().Bounds(read));
  return CursorOwner{std::move(*source), bounds};
}

std::string SourceService::CursorOf(const SourceName& name, const CursorOwner& owner,
                                    int64_t sequence) const {
  ExportCursor cursor = Binding(name, owner.source, owner.bounds.epoch);
  cursor.seq = static_cast<uint64_t>(sequence);
  return context_.tokens->Encode(cursor);
}

// Rows may have gone since the owner was read: the earliest cursor told is that of now.
absl::Status SourceService::ForConsumer(const absl::Status& status, const ConsumerName& name,
                                        storage::InstanceStore& instance,
                                        const storage::ReadContext& read) const {
  const storage::Reason reason = storage::ReasonOf(status);
  const bool expired = reason == storage::Reason::kConsumerExpired;
  if (!expired && reason != storage::Reason::kHistoryGone) return ForResource(status, ToText(name));
  ASSIGN_OR_RETURN(const CursorOwner owner, FindOwner(SourceOf(name), instance, read));
  const std::string earliest = CursorOf(SourceOf(name), owner, owner.bounds.earliest - 1);
  return expired ? ConsumerExpired(ToText(name), earliest) : RowsGone("cursor", earliest);
}

v1::Consumer SourceService::Show(const ConsumerName& name, const CursorOwner& owner,
                                 const storage::Consumer& consumer) const {
  v1::Consumer shown = ToProto({name.instance}, consumer);
  // Until it acknowledges, a consumer stands before the first row kept; where one that expired
  // stood may be gone.
  const int64_t sequence = std::max(consumer.acknowledged_sequence, owner.bounds.earliest - 1);
  shown.set_cursor(CursorOf(SourceOf(name), owner, sequence));
  return shown;
}

absl::StatusOr<int64_t> SourceService::ReadCursor(const SourceName& name, const CursorOwner& owner,
                                                  const std::string& cursor) const {
  return ReadExportCursor(*context_.tokens, {"cursor", cursor},
                          Binding(name, owner.source, owner.bounds.epoch));
}

absl::Status SourceService::Serve(CallContext& call, const v1::CreateConsumerRequest& request,
                                  v1::Consumer* response) const {
  ASSIGN_OR_RETURN(const SourceName parent, ParseSourceName({"parent", request.parent()}));
  const std::string& id = request.consumer_id();
  RETURN_IF_ERROR(CheckId(IdForm::kResource, {"consumer_id", id}));
  ASSIGN_OR_RETURN(const auto settings, ReadConsumerSettings(request.consumer()));
  ASSIGN_OR_RETURN(const storage::AdminWrite write, CreateWrite(call, request));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, parent.instance));
  const ConsumerName name{parent.instance, parent.id, id};
  // Not while the source is being deleted: its consumers go with it.
  const std::lock_guard<std::mutex> lock(both_files_);
  ASSIGN_OR_RETURN(const CursorOwner owner, FindOwner(parent, *instance, call.ForReading()));
  const auto written = instance->logs().CreateConsumer(parent.id, id, settings, write);
  if (!written.ok()) return ForResource(written.status(), ToText(name));
  *response = Show(name, owner, written->value);
  TellCommit(context_, {parent.instance, written->position}, call);
  return absl::OkStatus();
}

absl::Status SourceService::Serve(CallContext& call, const v1::GetConsumerRequest& request,
                                  v1::Consumer* response) const {
  ASSIGN_OR_RETURN(const ConsumerName name, ParseConsumerName({"name", request.name()}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {name.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const CursorOwner owner,
                   FindOwner(SourceOf(name), *reading.instance, reading.context));
  const auto found = reading.instance->logs().GetConsumer(name.source, name.id, reading.context);
  if (!found.ok()) return ForResource(found.status(), request.name());
  *response = Show(name, owner, *found);
  return absl::OkStatus();
}

absl::Status SourceService::Serve(CallContext& call, const v1::ListConsumersRequest& request,
                                  v1::ListConsumersResponse* response) const {
  ASSIGN_OR_RETURN(const SourceName parent, ParseSourceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent()}}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  ASSIGN_OR_RETURN(const CursorOwner owner, FindOwner(parent, *reading.instance, reading.context));
  ASSIGN_OR_RETURN(const auto page, reading.instance->logs().ListConsumers(
                                        parent.id, pager.request(), reading.context));
  for (const storage::Consumer& consumer : page.items) {
    *response->add_consumers() = Show({parent.instance, parent.id, consumer.id}, owner, consumer);
  }
  response->set_next_page_token(pager.Next(page.next));
  return absl::OkStatus();
}

absl::Status SourceService::Serve(CallContext& call, const v1::UpdateConsumerRequest& request,
                                  v1::Consumer* response) const {
  const v1::Consumer& patch = request.consumer();
  ASSIGN_OR_RETURN(const ConsumerName name, ParseConsumerName({"consumer.name", patch.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  ASSIGN_OR_RETURN(const CursorOwner owner,
                   FindOwner(SourceOf(name), *instance, call.ForReading()));
  const auto present = instance->logs().GetConsumer(name.source, name.id, call.ForReading());
  if (!present.ok()) return ForResource(present.status(), patch.name());
  v1::Consumer merged = ToProto({name.instance}, *present);
  const google::protobuf::FieldMask mask = WithBothPins(request.update_mask());
  RETURN_IF_ERROR(ApplyMask({"consumer", patch, mask}, &merged));
  EndOtherPin(patch, mask, &merged);
  ASSIGN_OR_RETURN(const auto settings, ReadConsumerSettings(merged));
  const auto written = instance->logs().UpdateConsumer(name.source, name.id, settings);
  if (!written.ok()) return ForResource(written.status(), patch.name());
  *response = Show(name, owner, written->value);
  TellCommit(context_, {name.instance, written->position}, call);
  return absl::OkStatus();
}

absl::Status SourceService::Serve(CallContext& call, const v1::DeleteConsumerRequest& request,
                                  google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const ConsumerName name, ParseConsumerName({"name", request.name()}));
  if (!request.etag().empty()) {
    return errors::EtagMismatch("etag: got one, but a consumer has none");
  }
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto written = instance->logs().DeleteConsumer(name.source, name.id);
  if (!written.ok()) return ForResource(written.status(), request.name());
  TellCommit(context_, {name.instance, written->position}, call);
  return absl::OkStatus();
}

absl::Status SourceService::Serve(CallContext& call, const v1::AcknowledgeRequest& request,
                                  v1::Consumer* response) const {
  ASSIGN_OR_RETURN(const ConsumerName name, ParseConsumerName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  ASSIGN_OR_RETURN(const CursorOwner owner,
                   FindOwner(SourceOf(name), *instance, call.ForReading()));
  ASSIGN_OR_RETURN(const int64_t sequence, ReadCursor(SourceOf(name), owner, request.cursor()));
  const auto written = instance->logs().Acknowledge(name.source, name.id, sequence);
  if (!written.ok()) return ForConsumer(written.status(), name, *instance, call.ForReading());
  *response = Show(name, owner, written->value);
  TellCommit(context_, {name.instance, written->position}, call);
  return absl::OkStatus();
}

// Only a cursor can be refused for what is gone: whoever asks for a time or the beginning is
// content with the first row there is.
absl::StatusOr<storage::SeekTo> SourceService::SeekTarget(const SourceName& name,
                                                          const CursorOwner& owner,
                                                          const v1::SeekRequest& request,
                                                          const Reading& reading) const {
  switch (request.target_case()) {
    case v1::SeekRequest::kCursor: {
      ASSIGN_OR_RETURN(const int64_t sequence, ReadCursor(name, owner, request.cursor()));
      return storage::SeekTo(sequence);
    }
    case v1::SeekRequest::kAppendTime: {
      ASSIGN_OR_RETURN(const int64_t us, ReadTime("append_time", request.append_time()));
      ASSIGN_OR_RETURN(const int64_t before,
                       reading.instance->logs().SequenceBefore(us, reading.context));
      return storage::SeekTo(before, true);
    }
    case v1::SeekRequest::kBeginning:
      if (!request.beginning()) return MustBeTrue("beginning");
      return storage::SeekTo(0, true);
    case v1::SeekRequest::kEnd:
      if (!request.end()) return MustBeTrue("end");
      return storage::SeekTo(owner.bounds.end, true);
    case v1::SeekRequest::TARGET_NOT_SET:
      break;
  }
  return errors::FieldRequired("target");
}

absl::Status SourceService::Serve(CallContext& call, const v1::SeekRequest& request,
                                  v1::Consumer* response) const {
  ASSIGN_OR_RETURN(const ConsumerName name, ParseConsumerName({"name", request.name()}));
  ASSIGN_OR_RETURN(const Reading reading, BeginReading(context_, call, {name.instance, ""}));
  ASSIGN_OR_RETURN(const CursorOwner owner,
                   FindOwner(SourceOf(name), *reading.instance, reading.context));
  ASSIGN_OR_RETURN(const storage::SeekTo to, SeekTarget(SourceOf(name), owner, request, reading));
  const auto written = reading.instance->logs().Seek(name.source, name.id, to);
  if (!written.ok()) {
    return ForConsumer(written.status(), name, *reading.instance, reading.context);
  }
  *response = Show(name, owner, written->value);
  TellCommit(context_, {name.instance, written->position}, call);
  return absl::OkStatus();
}

}  // namespace passerelle
