#include "server/convert/acks.h"

namespace passerelle {

void WriteRowOutcome(const storage::RowResult& row, v1::RowOutcome* out) {
  out->set_offset(row.offset);
  out->set_record_key(row.record_key);
  out->set_outcome(static_cast<v1::Outcome>(row.outcome));
  out->set_reason(static_cast<v1::RowReason>(row.reason));
  out->set_field(row.field);
  for (const std::string& field : row.stale_fields) out->add_stale_fields(field);
  for (const std::string& field : row.out_of_scope_fields) out->add_out_of_scope_fields(field);
  out->set_profile_created(row.profile_created);
  out->set_membership_changed(row.membership_changed);
  out->set_attributes_changed(row.attributes_changed);
  out->set_profile_unknown(row.profile_unknown);
}

void WriteCounts(const storage::OutcomeCounts& counts,
                 google::protobuf::RepeatedPtrField<v1::OutcomeCount>* out) {
  for (int outcome = 0; outcome < storage::kOutcomes; ++outcome) {
    const int64_t rows = counts.rows[static_cast<std::size_t>(outcome)];
    if (rows == 0) continue;
    v1::OutcomeCount* count = out->Add();
    count->set_outcome(static_cast<v1::Outcome>(outcome));
    count->set_rows(rows);
  }
}

void MergeCounts(const storage::OutcomeCounts& from, storage::OutcomeCounts* into) {
  for (std::size_t i = 0; i < from.rows.size(); ++i) into->rows[i] += from.rows[i];
}

}  // namespace passerelle
