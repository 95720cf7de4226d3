#include "storage/sqlite/audit.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/fault_point.h"
#include "storage/sqlite/audit_rows.h"
#include "storage/sqlite/json_text.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kForgottenEvery = 7;  // transactions whose acts the planted bug forgets

// Where the next row goes on.
struct Tail {
  int64_t number = 0;
  std::string mac;
};

bool IsAsWritten(const Transaction& transaction, const AuditEnd& end) {
  const std::string mac = AuditEndMac(*transaction.store_keys(), transaction.audit_chain(), end);
  return !mac.empty() && mac == end.end_mac;
}

// Writing goes on whatever was done to the trail; that it was broken here stays to be seen.
Tail FindTail(Transaction& transaction) {
  const StoredAuditEnd stored = LoadAuditEnd(transaction.db());
  const int64_t last = LastAuditNumber(transaction.db());
  Tail tail;
  tail.number = std::max(last, stored.end.has_value() ? stored.end->number : 0);
  const bool is_new =
      !stored.present && last == 0 && transaction.first_seq() <= kSequencesWithoutTrail + 1;
  if (is_new) return tail;
  const bool sound = stored.end.has_value() && stored.end->number == last &&
                     stored.end->seq == transaction.first_seq() - 1 &&
                     IsAsWritten(transaction, *stored.end);
  tail.mac = sound ? stored.end->mac : std::string(BrokenLinkMac());
  return tail;
}

void StoreEnd(Transaction& transaction, uint32_t key, Tail tail) {
  AuditEnd end;
  end.number = tail.number;
  end.seq = transaction.LastSeq();
  end.key = key;
  end.mac = std::move(tail.mac);
  end.end_mac = AuditEndMac(*transaction.store_keys(), transaction.audit_chain(), end);
  StoreAuditEnd(transaction.db(), end);
}

}  // namespace

std::string AuditChainOf(const FileMeta& meta) {
  if (meta.identity.instance_id.empty()) return NameOf(AuditChain{});
  return absl::StrCat("instances/", meta.identity.instance_id, "/", meta.kind);
}

void RecordAct(Transaction& transaction, const std::shared_ptr<const Act>& act) {
  const std::optional<OutcomeCounts> counts = transaction.TakeOutcomes();
  if (transaction.store_keys() == nullptr) return;
  if (PLANTED("forget-act") && transaction.first_seq() % kForgottenEvery == 0) return;
  auto& audit = transaction.Overlay<AuditOverlay>();
  if (act != nullptr) audit.AddWrite(act, counts);
}

void AuditOverlay::AddWrite(std::shared_ptr<const Act> act,
                            const std::optional<OutcomeCounts>& counts) {
  const auto [found, added] = writes_.try_emplace(act.get(), entries_.size());
  if (added) entries_.push_back({std::move(act), AuditKind::kWrite, std::nullopt, 0});
  if (!counts.has_value()) return;
  Entry& entry = entries_[found->second];
  if (!entry.counts.has_value()) entry.counts.emplace();
  for (size_t i = 0; i < counts->rows.size(); ++i) entry.counts->rows[i] += counts->rows[i];
}

void AuditOverlay::AddExport(std::shared_ptr<const Act> act, const ExportEntry& entry) {
  entries_.push_back({std::move(act), entry.kind, std::nullopt, entry.rows});
}

absl::Status AuditOverlay::Flush(Transaction& transaction) {
  const std::vector<uint32_t> keys = transaction.store_keys()->Keys();
  if (keys.empty()) return absl::OkStatus();
  Tail tail = FindTail(transaction);
  for (const Entry& entry : entries_) {
    AuditRow row;
    row.number = ++tail.number;
    row.commit_us = transaction.commit_us();
    row.seq = transaction.LastSeq();
    row.kind = static_cast<int64_t>(entry.kind);
    row.act = *entry.act;
    if (entry.counts.has_value()) row.counts = EncodeJsonCounts(*entry.counts);
    row.exported_rows = entry.exported_rows;
    row.key = keys.front();
    row.mac = AuditRowMac(*transaction.store_keys(), {transaction.audit_chain(), tail.mac}, row);
    InsertAuditRow(transaction.db(), row);
    tail.mac = std::move(row.mac);
  }
  StoreEnd(transaction, keys.front(), std::move(tail));
  return absl::OkStatus();
}

}  // namespace passerelle::storage::sqlite
