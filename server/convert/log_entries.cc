#include "server/convert/log_entries.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/content_hash.h"
#include "server/convert/text.h"
#include "server/convert/times.h"
#include "server/convert/values.h"
#include "server/errors.h"
#include "server/limits.h"

namespace passerelle {
namespace {

using storage::LogRecord;
using storage::LogRow;
using storage::RowReason;

constexpr int32_t kMaxFailureReason = 127;

// `Entry` is LogEntry or RawLogEntry: the same fields, texts or bytes.
template <class Entry>
class EntryReader {
 public:
  EntryReader(const LogRules& rules, ByteArena* bytes) : rules_(rules), reader_(bytes) {}

  void Read(const Entry& entry, std::string_view key, LogRecord* out) {
    out_ = out;
    ReadPlace(entry);
    ReadStatus(entry);
    ReadIdentity(entry);
    ReadTexts(entry);
    Judge(rules_.record_keys->Write(key, reader_.bytes(), &out->record_key), "record_key");
    if (rules_.hash_content) out->content_hash = Hash(entry, key);
  }

 private:
  void ReadPlace(const Entry& entry);
  void ReadStatus(const Entry& entry);
  void ReadIdentity(const Entry& entry);
  void ReadTexts(const Entry& entry);
  std::string_view Text(const std::string& text, const char* field) {
    Judge(RowReasonOf(CheckText(text, kMaxValueBytes), IdentityShape::kText), field);
    return text;
  }
  void Judge(RowReason reason, const char* field) {
    if (reason != RowReason::kNone && !out_->refusal.has_value()) {
      out_->refusal = storage::Refusal{reason, field};
    }
  }
  void Want(bool fits, const char* field) {
    if (!fits) Judge(RowReason::kFieldInvalid, field);
  }
  uint32_t Hash(const Entry& entry, std::string_view key) const;

  const LogRules& rules_;
  ValueReader reader_;
  LogRecord* out_ = nullptr;
  // What the caller sent, by field number; built once.
  struct Hashes {
    FieldHash number(int field) const {
      return FieldHash(HashRole::kField, std::string(1, static_cast<char>(field)));
    }
    FieldHash kind = number(2), delivery = number(3), broadlog = number(4), tracking = number(5),
              event = number(6), ns = number(8), identity = number(9), status = number(10),
              type = number(11), reason = number(12), message = number(13), flags = number(14),
              event_kind = number(18), url = number(19), category = number(20),
              key = FieldHash(HashRole::kRecordKey);
  } hashes_;
};

template <class Entry>
void EntryReader<Entry>::ReadPlace(const Entry& entry) {
  LogRow& row = out_->row;
  const bool tracking = entry.kind() == v1::LOG_KIND_TRACKING;
  Want(tracking || entry.kind() == v1::LOG_KIND_DELIVERY, "kind");
  row.kind = tracking ? storage::LogKind::kTracking : storage::LogKind::kDelivery;
  row.delivery = Text(entry.delivery(), "delivery");
  Want(!entry.delivery().empty(), "delivery");
  row.broadlog_id = entry.broadlog_id();
  Want(row.broadlog_id >= 1, "broadlog_id");
  row.tracking_log_id = tracking ? entry.tracking_log_id() : 0;
  Want(!tracking || row.tracking_log_id >= 1, "tracking_log_id");
  row.event_us = entry.event_time_us();
  if (!IsTimeInRange(row.event_us)) Judge(RowReason::kOutOfRange, "event_time_us");
}

template <class Entry>
void EntryReader<Entry>::ReadStatus(const Entry& entry) {
  LogRow& row = out_->row;
  if (row.kind == storage::LogKind::kDelivery) {
    row.status = entry.status();
    Want(row.status != 0 && v1::DeliveryStatus_IsValid(row.status), "status");
  } else {
    row.tracking_kind = entry.tracking_kind();
    Want(row.tracking_kind != 0 && v1::TrackingKind_IsValid(row.tracking_kind), "tracking_kind");
  }
  row.failure_type = entry.failure_type();
  Want(v1::FailureType_IsValid(row.failure_type), "failure_type");
  row.failure_reason = entry.failure_reason();
  Want(row.failure_reason >= 0 && row.failure_reason <= kMaxFailureReason, "failure_reason");
  row.flags = static_cast<uint8_t>((entry.quarantine() ? storage::kQuarantine : 0) |
                                   (entry.control_group() ? storage::kControlGroup : 0) |
                                   (entry.seed() ? storage::kSeed : 0) |
                                   (entry.proof() ? storage::kProof : 0));
}

template <class Entry>
void EntryReader<Entry>::ReadIdentity(const Entry& entry) {
  const std::string& ns = entry.identity_namespace();
  if (ns.empty() && entry.identity().empty()) return;
  Want(!ns.empty(), "identity_namespace");
  Want(!entry.identity().empty(), "identity");
  if (ns.empty() || entry.identity().empty()) return;
  const IdentityPlan* plan = rules_.identities->Find(ns);
  if (plan == nullptr) return Judge(RowReason::kUnknownNamespace, "identity_namespace");
  CheckedIdentity made;
  Judge(reader_.Identity(*plan, entry.identity(), &made), "identity");
  out_->row.identity_namespace = ns;
  out_->row.identity_ns = plan->number;
  out_->row.identity = made.value;
}

template <class Entry>
void EntryReader<Entry>::ReadTexts(const Entry& entry) {
  LogRow& row = out_->row;
  row.reason_message = Text(entry.reason_message(), "reason_message");
  row.url = Text(entry.url(), "url");
  row.url_category = Text(entry.url_category(), "url_category");
  const std::size_t size = entry.delivery().size() + entry.identity().size() + row.url.size() +
                           row.reason_message.size() + row.url_category.size();
  if (size > kMaxRecordBytes) Judge(RowReason::kRowTooLarge, "");
}

template <class Entry>
uint32_t EntryReader<Entry>::Hash(const Entry& entry, std::string_view key) const {
  uint64_t sum = 0;
  const auto number = [&sum](const FieldHash& hash, int64_t value) {
    if (value != 0) sum += hash.Integer(value);
  };
  const auto text = [&sum](const FieldHash& hash, std::string_view value) {
    if (!value.empty()) sum += hash.Text(value);
  };
  number(hashes_.kind, entry.kind());
  text(hashes_.delivery, entry.delivery());
  number(hashes_.broadlog, entry.broadlog_id());
  number(hashes_.tracking, entry.tracking_log_id());
  number(hashes_.event, entry.event_time_us());
  text(hashes_.ns, entry.identity_namespace());
  text(hashes_.identity, entry.identity());
  number(hashes_.status, entry.status());
  number(hashes_.type, entry.failure_type());
  number(hashes_.reason, entry.failure_reason());
  text(hashes_.message, entry.reason_message());
  number(hashes_.flags, out_->row.flags);
  number(hashes_.event_kind, entry.tracking_kind());
  text(hashes_.url, entry.url());
  text(hashes_.category, entry.url_category());
  text(hashes_.key, key);
  return FoldHash(sum);
}

}  // namespace

LogIdentities::LogIdentities(std::shared_ptr<const storage::Schema> schema, std::string region)
    : schema_(std::move(schema)) {
  for (const storage::IdentityNamespace& ns : schema_->namespaces()) {
    IdentityPlan plan;
    plan.id = ns.id;
    plan.number = ns.number;
    plan.rules = IdentityRulesOf(ns, region);
    plans_.emplace(ns.id, std::move(plan));
  }
}

const IdentityPlan* LogIdentities::Find(std::string_view ns) const {
  const auto found = plans_.find(AbslView(ns));
  return found == plans_.end() ? nullptr : &found->second;
}

template <class Entry>
absl::Status ReadLogEntries(const LogRules& rules, const LogBatch<Entry>& batch, ByteArena* bytes,
                            std::vector<LogRecord>* out) {
  const int rows = batch.rows->size();
  const int keys = batch.record_keys == nullptr ? 0 : batch.record_keys->size();
  if (keys != 0 && keys != rows) {
    return errors::ColumnMismatch({"record_keys", absl::StrCat(keys, " keys, wanted ", rows)});
  }
  EntryReader<Entry> reader(rules, bytes);
  out->assign(static_cast<std::size_t>(rows), LogRecord());
  for (int r = 0; r < rows; ++r) {
    reader.Read((*batch.rows)[r], keys == 0 ? std::string_view() : (*batch.record_keys)[r],
                &(*out)[static_cast<std::size_t>(r)]);
  }
  return absl::OkStatus();
}

template absl::Status ReadLogEntries(const LogRules&, const LogBatch<v1::LogEntry>&, ByteArena*,
                                     std::vector<LogRecord>*);
template absl::Status ReadLogEntries(const LogRules&, const LogBatch<v1::RawLogEntry>&, ByteArena*,
                                     std::vector<LogRecord>*);

}  // namespace passerelle
