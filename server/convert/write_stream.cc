#include "server/convert/write_stream.h"

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
  AddCounts(state.totals, shown.mutable_totals());
  shown.set_finished(state.finished);
  *shown.mutable_create_time() = ToTimestamp(state.create_us);
  *shown.mutable_update_time() = ToTimestamp(state.update_us);
  return shown;
}

v1::RowOutcome ToProto(const storage::RowResult& row) {
  v1::RowOutcome shown;
  shown.set_offset(row.offset);
  shown.set_record_key(row.record_key);
  shown.set_outcome(static_cast<v1::Outcome>(row.outcome));
  shown.set_reason(static_cast<v1::RowReason>(row.reason));
  shown.set_field(row.field);
  for (const std::string& field : row.stale_fields) shown.add_stale_fields(field);
  for (const std::string& field : row.out_of_scope_fields) shown.add_out_of_scope_fields(field);
  shown.set_profile_created(row.profile_created);
  shown.set_membership_changed(row.membership_changed);
  shown.set_attributes_changed(row.attributes_changed);
  shown.set_profile_unknown(row.profile_unknown);
  return shown;
}

void AddCounts(const storage::OutcomeCounts& counts,
               google::protobuf::RepeatedPtrField<v1::OutcomeCount>* out) {
  for (int outcome = 1; outcome < storage::kOutcomes; ++outcome) {
    const int64_t rows = counts[static_cast<storage::Outcome>(outcome)];
    if (rows == 0) continue;
    v1::OutcomeCount* count = out->Add();
    count->set_outcome(static_cast<v1::Outcome>(outcome));
    count->set_rows(rows);
  }
}

}  // namespace passerelle
