#include "server/convert/write_stream.h"

#include "server/convert/acks.h"
#include "server/convert/fields.h"

namespace passerelle {

v1::WriteStream ToProto(const InstanceName& instance, const storage::StreamState& state) {
  v1::WriteStream shown;
  shown.set_name(ToText(WriteStreamName{instance.instance, state.stream}));
  shown.set_kind(static_cast<v1::WriteStream::Kind>(state.kind));
  shown.set_target(state.target.empty() ? ToText(instance)
                                        : ToText(DestinationName{instance.instance, state.target}));
  shown.set_next_offset(state.next_offset);
  shown.set_epoch(state.epoch);
  shown.set_source_token(state.source_token);
  WriteCounts(state.totals, shown.mutable_totals());
  shown.set_finished(state.finished);
  *shown.mutable_create_time() = ToTimestamp(state.create_us);
  *shown.mutable_update_time() = ToTimestamp(state.update_us);
  if (state.expired_us != 0) *shown.mutable_expire_time() = ToTimestamp(state.expired_us);
  return shown;
}

}  // namespace passerelle
