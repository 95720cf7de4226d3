// Unary writes by their request id: the same id within 72 hours gets the same answer.
#ifndef PASSERELLE_STORAGE_SQLITE_REQUESTS_H_
#define PASSERELLE_STORAGE_SQLITE_REQUESTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/sqlite/transaction.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

inline constexpr int64_t kRequestLifeUs = int64_t{72} * 3600 * 1'000'000;

// The requests of one transaction, over those in the file.
class RequestOverlay : public TransactionOverlay {
 public:
  // The response recorded for the key; nullopt: none within kRequestLifeUs. ALREADY_EXISTS
  // kRequestIdReused: recorded for another method or payload. May throw SQLite::Exception.
  absl::StatusOr<std::optional<std::string>> Find(Transaction& transaction, const RequestKey& key);

  // Keeps the response of a request that Find did not know.
  void Record(const RequestKey& key, std::string response);

  // Also forgets some of the expired ones.
  absl::Status Flush(Transaction& transaction) override;

 private:
  struct Stored {
    std::string method;
    std::string payload_hash;
    std::string response;
  };
  static absl::StatusOr<std::optional<std::string>> Answer(const RequestKey& key,
                                                           const Stored& stored);
  std::map<std::string, Stored> recorded_;  // by id, so that rows are written in order
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_REQUESTS_H_
