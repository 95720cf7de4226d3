#include "storage/sqlite/suppressions.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/reason.h"
#include "storage/sqlite/profile_edits.h"
#include "storage/sqlite/profile_records.h"
#include "storage/sqlite/reach_lists.h"
#include "storage/sqlite/suppression_search.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kFind[] = "SELECT 1 FROM suppression WHERE key = ?1 AND hash = ?2 AND channel = ?3";
constexpr char kAdd[] =
    "INSERT INTO suppression(key, hash, channel, reason, create_us) VALUES (?1, ?2, ?3, ?4, ?5)";
constexpr char kRemove[] = "DELETE FROM suppression WHERE key = ?1 AND hash = ?2 AND channel = ?3";
constexpr char kList[] =
    "SELECT key, hash, channel, reason, create_us FROM suppression "
    "WHERE (key, hash, channel) > (?1, ?2, ?3) ORDER BY key, hash, channel LIMIT ?4";
constexpr char kIsDerived[] = "SELECT derived FROM identity WHERE namespace = ?1 AND value = ?2";

// What callers call the fields of a row.
constexpr char kTimeField[] = "create_time";
constexpr char kNamespaceField[] = "identity.namespace";
constexpr char kKeyField[] = "address_hash.key_id";

struct KeyedHash {
  uint32_t key = 0;
  std::string hash;
};

void RejectRow(RowReason reason, const char* field, RowResult& result) {
  result.outcome = Outcome::kRejected;
  result.reason = reason;
  result.field = field;
}

// One batch within one transaction.
class ListWriter {
 public:
  ListWriter(Transaction& transaction, const Schema& schema)
      : transaction_(transaction),
        db_(transaction.db()),
        schema_(schema),
        store_keys_(transaction.store_keys()),
        lists_(db_, store_keys_) {
    if (store_keys_ != nullptr) given_ = store_keys_->Keys();
  }

  void Import(const SuppressionRow& row, RowResult& result) {
    if (row.create_us.value_or(0) > transaction_.commit_us() + kAheadMaxUs) {
      return RejectRow(RowReason::kTimeInFuture, kTimeField, result);
    }
    if (!row.ns && !IsGiven(row.key)) {
      return RejectRow(RowReason::kUnknownNamespace, kKeyField, result);
    }
    const std::vector<KeyedHash> hashes = HashesOf(row, result);
    if (hashes.empty()) return;
    if (IsListed(hashes, row.channel)) {
      result.outcome = Outcome::kUnchanged;
      return;
    }
    StatementScope add(db_.Prepared(kAdd));
    add->BindInt(1, hashes[0].key).BindBlob(2, hashes[0].hash).BindText(3, row.channel);
    add->BindText(4, row.reason).BindInt(5, row.create_us.value_or(transaction_.commit_us()));
    add->Run();
    result.outcome = Outcome::kCreated;
    if (!KeepOut(row)) searches_ = true;
  }

  void Remove(const SuppressionRow& row, RowResult& result) {
    const std::vector<KeyedHash> hashes = HashesOf(row, result);
    if (hashes.empty()) return;
    bool removed = false;
    for (const KeyedHash& hash : hashes) {
      StatementScope remove(db_.Prepared(kRemove));
      remove->BindInt(1, hash.key).BindBlob(2, hash.hash).BindText(3, row.channel).Run();
      removed = removed || sqlite3_changes(db_.handle()) == 1;
    }
    result.outcome = removed ? Outcome::kUpdated : Outcome::kNotFound;
    searches_ = searches_ || removed;
  }

  // Profiles that only hashing finds may be concerned.
  bool searches() const { return searches_; }

 private:
  // The address by every key that an entry of it may have; the first is for a new one. Empty: the
  // row is refused.
  std::vector<KeyedHash> HashesOf(const SuppressionRow& row, RowResult& result) {
    if (!row.ns) return {{row.key, row.hash}};
    const HashableAddress address = lists_.AddressOf(row.ns, row.value);
    std::vector<KeyedHash> hashes;
    if (address.name_space.empty()) {
      RejectRow(RowReason::kUnknownNamespace, kNamespaceField, result);
      return hashes;
    }
    for (const uint32_t key : given_)
      hashes.push_back({key, store_keys_->HashAddress(key, AddressUse::kSuppression, address)});
    return hashes;
  }

  bool IsGiven(uint32_t key) const {
    return std::find(given_.begin(), given_.end(), key) != given_.end();
  }

  bool IsListed(const std::vector<KeyedHash>& hashes, const std::string& channel) const {
    return std::any_of(hashes.begin(), hashes.end(), [&](const KeyedHash& hash) {
      StatementScope find(db_.Prepared(kFind));
      find->BindInt(1, hash.key).BindBlob(2, hash.hash).BindText(3, channel);
      return find->Step();
    });
  }

  // True: nobody else can have the address. A clear value has one owner, and so has its hash; one
  // who has the value to a hash can have it without having the hash.
  bool KeepOut(const SuppressionRow& row) {
    if (!row.ns) return false;
    auto& edits = transaction_.Overlay<ProfileEdits>();
    const ProfileId owner = edits.Find(row.ns, row.value);
    if (owner) edits.ReconsiderReach(owner);
    const IdentityNamespace* ns = schema_.FindNamespace(row.ns);
    const IdentityNamespace* derived = schema_.DerivedFrom(*ns);
    if (derived != nullptr) {
      const ProfileId other = edits.Find(derived->number, row.derived_value);
      if (other) edits.ReconsiderReach(other);
    }
    return ns->derived_from.empty() || IsDerived(row);
  }

  bool IsDerived(const SuppressionRow& row) const {
    StatementScope get(db_.Prepared(kIsDerived));
    get->BindAll(row.ns.value, row.value);
    return get->Step() && get->Bool(0);
  }

  Transaction& transaction_;
  Database& db_;
  const Schema& schema_;
  const StoreKeys* const store_keys_;
  ReachLists lists_;
  std::vector<uint32_t> given_;
  bool searches_ = false;
};

using WriteRow = void (ListWriter::*)(const SuppressionRow&, RowResult&);

void WriteRows(ListWriter& writer, const SuppressionBatch& batch, WriteRow write,
               SuppressionAck& ack) {
  ack = {};
  for (size_t i = 0; i < batch.rows.size(); ++i) {
    const SuppressionRow& row = batch.rows[i];
    RowResult result;
    result.offset = static_cast<int64_t>(i);
    if (row.refusal.has_value()) {
      result.outcome = Outcome::kRejected;
      result.reason = row.refusal->reason;
      result.field = row.refusal->field;
    } else {
      (writer.*write)(row, result);
    }
    ++ack.counts[result.outcome];
    ack.rows.push_back(std::move(result));
  }
}

struct ListWrite {
  const SuppressionBatch& batch;
  WriteRow write;
  void (*order_search)(Database&);
  WriteKind kind;
};

absl::StatusOr<SuppressionAck> WriteList(InstanceContext& context, const ListWrite& write,
                                         const ReadContext& caller) {
  if (!write.batch.more_follows) RETURN_IF_ERROR(SearchWaiter::CheckRoom());
  SuppressionAck ack;
  ack.position = context.profiles->PositionOf(context.profiles->last_commit());
  if (!write.batch.rows.empty()) {
    const auto decide = [&](Transaction& transaction) {
      const auto schema = context.schema.Get();
      ListWriter writer(transaction, *schema);
      WriteRows(writer, write.batch, write.write, ack);
      transaction.NoteOutcomes(ack.counts);
      if (writer.searches()) write.order_search(transaction.db());
      return absl::OkStatus();
    };
    ASSIGN_OR_RETURN(ack.position, context.profiles->Write(decide, write.kind));
  }
  if (write.batch.more_follows) {
    StartSuppressionSearch(context);
    return ack;
  }
  RETURN_IF_ERROR(AwaitSuppressionSearch(context, caller));
  ack.position = context.profiles->PositionOf(context.profiles->last_commit());
  return ack;
}

// Where a page begins: "key hash channel", the hash in hexadecimal digits.
struct ListKey {
  int64_t key = -1;
  std::string hash;
  std::string channel;
};

std::string ToText(const Suppression& entry) {
  return absl::StrCat(entry.key, " ", absl::BytesToHexString(entry.hash), " ", entry.channel);
}

absl::StatusOr<ListKey> ReadListKey(const std::string& text) {
  ListKey key;
  if (text.empty()) return key;
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(' ', 2));
  const bool valid = parts.size() == 3 && absl::SimpleAtoi(parts[0], &key.key) &&
                     parts[1].size() == 2 * kAddressHashBytes;
  if (!valid) return absl::InvalidArgumentError("the page does not begin at an entry");
  key.hash = absl::HexStringToBytes(parts[1]);
  key.channel = parts[2];
  return key;
}

}  // namespace

absl::StatusOr<SuppressionAck> ImportSuppressions(InstanceContext& context,
                                                  const SuppressionBatch& batch,
                                                  const ReadContext& caller) {
  const bool has_keys = context.store_keys != nullptr && !context.store_keys->Keys().empty();
  if (!has_keys) {
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing,
                     "there is no master key to hash addresses with");
  }
  return WriteList(context,
                   {batch, &ListWriter::Import, OrderSuppressedSearch, WriteKind::kAdministrative},
                   caller);
}

absl::StatusOr<SuppressionAck> DeleteSuppressions(InstanceContext& context,
                                                  const SuppressionBatch& batch,
                                                  const ReadContext& caller) {
  return WriteList(context,
                   {batch, &ListWriter::Remove, OrderUnsuppressedSearch, WriteKind::kRelieving},
                   caller);
}

absl::StatusOr<Page<Suppression>> ListSuppressions(const File& file, const PageRequest& page,
                                                   const ReadContext& caller) {
  ASSIGN_OR_RETURN(const ListKey from, ReadListKey(page.after));
  Page<Suppression> listed;
  RETURN_IF_ERROR(file.Read(caller, "suppressions: list", [&](const ReadLease& lease) {
    listed = {};
    StatementScope list(lease.db().Prepared(kList));
    list->BindInt(1, from.key).BindBlob(2, from.hash).BindText(3, from.channel);
    list->BindInt(4, page.limit + 1);
    while (list->Step()) {
      if (static_cast<int32_t>(listed.items.size()) == page.limit) {
        listed.next = ToText(listed.items.back());
        break;
      }
      listed.items.push_back({static_cast<uint32_t>(list->Int(0)), std::string(list->Blob(1)),
                              std::string(list->Text(2)), std::string(list->Text(3)),
                              list->Int(4)});
    }
    return absl::OkStatus();
  }));
  return listed;
}

}  // namespace passerelle::storage::sqlite
