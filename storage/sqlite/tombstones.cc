#include "storage/sqlite/tombstones.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/sqlite/profile_records.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kAll[] = "SELECT key, hash FROM tombstone";
// The least key comes from the index; there are few of them.
constexpr char kNextKey[] = "SELECT min(key) FROM tombstone WHERE key > ?1";
constexpr char kRunningKeys[] = "SELECT DISTINCT key FROM privacy_request WHERE state = 1";
constexpr char kWrite[] =
    "INSERT INTO tombstone(key, hash, create_us) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";

std::vector<uint32_t> KeysInUse(Database& db) {
  std::vector<uint32_t> keys;
  {
    StatementScope running(db.Prepared(kRunningKeys));
    while (running->Step()) keys.push_back(static_cast<uint32_t>(running->Int(0)));
  }
  for (int64_t last = -1;;) {
    StatementScope next(db.Prepared(kNextKey));
    next->BindInt(1, last);
    if (!next->Step() || next->IsNull(0)) return keys;
    last = next->Int(0);
    keys.push_back(static_cast<uint32_t>(last));
  }
}

}  // namespace

absl::Status CheckTombstoneKeys(Database& db, const StoreKeys* keys) {
  const std::vector<uint32_t> given = keys == nullptr ? std::vector<uint32_t>() : keys->Keys();
  for (const uint32_t key : KeysInUse(db)) {
    if (std::find(given.begin(), given.end(), key) != given.end()) continue;
    const std::string id = absl::StrFormat("%08x", key);
    return MakeError(
        absl::StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing,
        absl::StrCat(db.path(), ": people were erased with master key ", id,
                     ", which is not in the key file; without it they could come back: put it "
                     "back there, as a further line"),
        {{"key", id}});
  }
  return absl::OkStatus();
}

bool WriteTombstone(Database& db, uint32_t key, std::string_view hash, int64_t create_us) {
  StatementScope write(db.Prepared(kWrite));
  write->BindInt(1, key).BindBlob(2, hash).BindInt(3, create_us).Run();
  return sqlite3_changes(db.handle()) == 1;
}

LogRow WithoutPerson(const LogRow& row) {
  LogRow left = row;
  left.identity_namespace = left.identity = {};
  left.identity_ns = {};
  left.profile = 0;
  left.reason_message = left.url = left.url_category = {};
  return left;
}

absl::Status Tombstones::Load(Database& db) {
  RETURN_IF_ERROR(CheckTombstoneKeys(db, keys_));
  StatementScope all(db.Prepared(kAll));
  while (all->Step()) {
    Add(static_cast<uint32_t>(all->Int(0)), {std::string(all->Blob(1))});
  }
  return absl::OkStatus();
}

void Tombstones::Add(uint32_t key, absl::Span<const std::string> hashes) {
  if (hashes.empty() || PLANTED("erase-keeps-no-tombstones")) return;
  absl::MutexLock lock(&mutex_);
  if (std::find(used_keys_.begin(), used_keys_.end(), key) == used_keys_.end()) {
    used_keys_.push_back(key);
  }
  hashes_.insert(hashes.begin(), hashes.end());
  empty_.store(false, std::memory_order_release);
}

bool Tombstones::Has(const Schema& schema, const NamedIdentity& identity) const {
  if (empty() || keys_ == nullptr) return false;
  std::vector<HashableAddress> forms;
  AppendForms(schema, identity, forms);
  absl::ReaderMutexLock lock(&mutex_);
  for (const uint32_t key : used_keys_) {
    for (const HashableAddress& form : forms) {
      if (hashes_.contains(keys_->HashAddress(key, AddressUse::kTombstone, form))) return true;
    }
  }
  return false;
}

bool Tombstones::Has(const Schema& schema, NamespaceNumber ns, std::string_view value) const {
  return !empty() && Has(schema, {NamespaceId(schema, ns), value});
}

// The hash beside a clear value has the clear one's hash.
bool Tombstones::HasAnyOf(const Schema& schema, const RecordBatch& batch, int64_t row) const {
  if (empty()) return false;
  for (const IdentityCell& identity : IdentitiesOf(batch, row)) {
    if (!identity.derived && Has(schema, identity.ns, identity.value)) return true;
  }
  const Cell* cells = batch.cells.data() + row * static_cast<int64_t>(batch.fields.size());
  for (size_t i = 0; i < batch.fields.size(); ++i) {
    const bool writes = batch.fields[i].identity && cells[i].kind == Cell::Kind::kText;
    if (writes && Has(schema, batch.fields[i].identity, cells[i].text)) return true;
  }
  return false;
}

}  // namespace passerelle::storage::sqlite
