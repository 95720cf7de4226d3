// The part of an ingest codec that follows from its messages: all four have open, batch and finish.
#pragma once

#include <cstdint>
#include <string_view>

#include "passerelle/v1/log_service.pb.h"
#include "server/streams/ingest.h"

namespace passerelle {

template <class Batch>
int64_t RecordsOf(const Batch& batch) {
  return batch.records();
}
inline int64_t RecordsOf(const v1::AppendLogsRequest::Batch& batch) { return batch.rows_size(); }

template <class Request>
class MessageCodec : public IngestCodec {
 public:
  Message* NewMessage(google::protobuf::Arena* arena) const final {
    return google::protobuf::Arena::CreateMessage<Request>(arena);
  }
  Part PartOf(const Message& message) const final {
    const Request& request = Cast(message);
    if (request.has_open()) return Part::kOpen;
    if (request.has_batch()) return Part::kBatch;
    return request.has_finish() ? Part::kFinish : Part::kNone;
  }
  const v1::StreamOptions& OptionsOf(const Message& open) const final {
    return Cast(open).open().stream();
  }
  BatchPlace PlaceOf(const Message& batch) const final {
    const auto& place = Cast(batch).batch();
    return {place.offset(), RecordsOf(place), &place.source_token()};
  }
  int64_t TotalOf(const Message& finish) const final {
    return Cast(finish).finish().total_records();
  }

 protected:
  static const Request& Cast(const Message& message) {
    return static_cast<const Request&>(message);
  }
};

}  // namespace passerelle
