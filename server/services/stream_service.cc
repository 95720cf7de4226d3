#include "server/services/stream_service.h"

#include "server/convert/names.h"
#include "server/convert/write_stream.h"
#include "server/services/call_steps.h"
#include "server/services/outcome_feed.h"
#include "server/services/pages.h"

namespace passerelle {

absl::Status StreamService::Serve(CallContext& call, const v1::GetWriteStreamRequest& request,
                                  v1::WriteStream* response) const {
  ASSIGN_OR_RETURN(const WriteStreamName name, ParseWriteStreamName({"name", request.name()}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {name.instance, request.commit_token()}));
  const auto found = reading.instance->streams().GetStream(name.id, reading.context);
  if (!found.ok()) return ForResource(found.status(), request.name());
  *response = ToProto({name.instance}, *found);
  return absl::OkStatus();
}

absl::Status StreamService::Serve(CallContext& call, const v1::ListWriteStreamsRequest& request,
                                  v1::ListWriteStreamsResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent()}}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, parent.instance));
  ASSIGN_OR_RETURN(const auto page,
                   instance->streams().ListStreams(pager.request(), call.ForReading()));
  for (const storage::StreamState& state : page.items) {
    *response->add_write_streams() = ToProto(parent, state);
  }
  response->set_next_page_token(pager.Next(page.next));
  return absl::OkStatus();
}

absl::Status StreamService::Serve(CallContext& call, const v1::DeleteWriteStreamRequest& request,
                                  google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const WriteStreamName name, ParseWriteStreamName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto written = instance->streams().DeleteStream(name.id);
  if (!written.ok()) return ForResource(written.status(), request.name());
  TellCommit(context_, {name.instance, written->position}, call);
  return absl::OkStatus();
}

absl::Status StreamService::Serve(CallContext& call, const v1::ListRowOutcomesRequest& request,
                                  v1::ListRowOutcomesResponse* response) const {
  return passerelle::ListRowOutcomes(context_, call, request, response);
}

}  // namespace passerelle
