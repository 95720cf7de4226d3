// The part of an ingest codec that imports, syncs and pushes share: records in columns.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/convert/columns.h"
#include "server/convert/record_columns.h"
#include "server/convert/record_plan.h"
#include "server/streams/message_codec.h"

namespace passerelle {

// A column of names as Open gives it.
inline std::vector<std::string> NamesIn(
    const google::protobuf::RepeatedPtrField<std::string>& names) {
  return {names.begin(), names.end()};
}

// The text of a record in a column; empty where it has none.
inline std::string_view TextAt(const v1::Column& column, int64_t record) {
  const std::string& presence = column.presence();
  int64_t index = record;
  if (!presence.empty()) {
    const auto at = static_cast<std::size_t>(record);
    if (at >= presence.size() || presence[at] != kValueMark) return {};
    index = std::count(presence.begin(), presence.begin() + record, kValueMark);
  }
  if (index < 0 || index >= column.texts_size()) return {};
  return column.texts(static_cast<int>(index));
}

template <class Request>
class RecordCodec : public MessageCodec<Request> {
 public:
  using Message = IngestCodec::Message;
  explicit RecordCodec(const ServiceContext& context) : context_(context) {}

  std::string_view RecordKeyOf(const Message& batch, int64_t index) const final {
    return TextAt(this->Cast(batch).batch().record_keys(), index);
  }
  void Begin(const IngestCodec::Mode& mode) final {
    record_keys_.emplace(*context_.keys, mode.clear_record_keys);
    named_ = mode.named;
  }
  void OnSpace(absl::AnyInvocable<void()> callback) final {
    instance_->streams().OnProfilesSpace(std::move(callback));
  }

 protected:
  // Reads the columns of a batch; `records` keeps the message alive.
  absl::Status ReadRecords(std::shared_ptr<IngestMessage> message, const ColumnBatch& columns,
                           const std::vector<std::string>* audiences,
                           storage::RecordBatch* records) {
    ColumnRules rules;
    rules.plan = &plan_;
    rules.record_keys = &*record_keys_;
    rules.hash_content = named_;
    rules.audiences = audiences;
    *records = storage::RecordBatch();
    const absl::Status status = ReadColumns(rules, columns, &message->bytes, records);
    records->keepalive = std::move(message);
    return status;
  }

  const ServiceContext context_;
  std::shared_ptr<storage::InstanceStore> instance_;
  RecordPlan plan_;

 private:
  std::optional<RecordKeyWriter> record_keys_;
  bool named_ = false;
};

}  // namespace passerelle
