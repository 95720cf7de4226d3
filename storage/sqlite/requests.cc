#include "storage/sqlite/requests.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kFind[] =
    "SELECT method, payload_hash, response FROM request WHERE id = ?1 AND create_us > ?2";
// An expired row of the same id may still be there.
constexpr char kRecord[] =
    "INSERT OR REPLACE INTO request(id, method, payload_hash, response, create_us) "
    "VALUES (?1, ?2, ?3, ?4, ?5)";
constexpr char kForget[] =
    "DELETE FROM request WHERE id IN "
    "(SELECT id FROM request WHERE create_us <= ?1 ORDER BY create_us LIMIT 100)";

}  // namespace

absl::StatusOr<std::optional<std::string>> RequestOverlay::Answer(const RequestKey& key,
                                                                  const Stored& stored) {
  if (stored.method == key.method && stored.payload_hash == key.payload_hash) {
    return std::optional<std::string>(stored.response);
  }
  const char* differs = stored.method == key.method ? "another payload" : "another method";
  return MakeError(
      absl::StatusCode::kAlreadyExists, Reason::kRequestIdReused,
      absl::StrCat("request_id '", key.request_id, "' was used within 72 hours with ", differs));
}

absl::StatusOr<std::optional<std::string>> RequestOverlay::Find(Transaction& transaction,
                                                                const RequestKey& key) {
  if (auto found = recorded_.find(key.request_id); found != recorded_.end()) {
    return Answer(key, found->second);
  }
  StatementScope find(transaction.db().Prepared(kFind));
  find->BindAll(key.request_id, transaction.commit_us() - kRequestLifeUs);
  if (!find->Step()) return std::optional<std::string>();
  const Stored stored{std::string(find->Text(0)), std::string(find->Blob(1)),
                      std::string(find->Blob(2))};
  return Answer(key, stored);
}

void RequestOverlay::Record(const RequestKey& key, std::string response) {
  recorded_[key.request_id] = {key.method, key.payload_hash, std::move(response)};
}

absl::Status RequestOverlay::Flush(Transaction& transaction) {
  if (recorded_.empty()) return absl::OkStatus();
  StatementScope forget(transaction.db().Prepared(kForget));
  forget->BindInt(1, transaction.commit_us() - kRequestLifeUs).Run();
  StatementScope record(transaction.db().Prepared(kRecord));
  for (const auto& [id, stored] : recorded_) {
    record->BindText(1, id).BindText(2, stored.method).BindBlob(3, stored.payload_hash);
    record->BindBlob(4, stored.response).BindInt(5, transaction.commit_us()).Run();
  }
  return absl::OkStatus();
}

}  // namespace passerelle::storage::sqlite
