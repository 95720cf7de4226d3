// The log rows of a person: found by identity, by profile and by message, then cleared or shown.
//
// There is no index that leads to them, so the log is read twice, by short pages: first for the
// messages that went to the person, which are kept in privacy_message; then for all rows of these,
// also those without an identity. Both positions are in privacy_work: gone on with after a restart;
// the first reading begins anew as long as nothing is cleared, since the names it gives are nowhere
// else.
#ifndef PASSERELLE_STORAGE_SQLITE_PRIVACY_LOGS_H_
#define PASSERELLE_STORAGE_SQLITE_PRIVACY_LOGS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/sqlite/erasure.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// Whom the log is searched for.
struct SearchedPerson {
  int64_t request = 0;
  PersonMatcher matcher;
  absl::flat_hash_set<int64_t> profiles;
};

// For the thread that works on requests; one at a time. Errors are those of reads and writes, and
// CANCELLED once `stop` is true.
class PersonLogs {
 public:
  using Message = std::pair<int64_t, int64_t>;  // delivery number, broadlog id
  // Identities, with ids of namespaces.
  using Names = std::vector<std::pair<std::string, std::string>>;
  using TakeNames = absl::FunctionRef<absl::Status(const Names&)>;
  // Told how many sequences were looked at, of how many.
  using Progress = std::function<absl::Status(int64_t done, int64_t total)>;

  // All outlive it.
  PersonLogs(InstanceContext& context, SearchedPerson& person, const std::atomic<bool>& stop);

  // Begins, or goes on with what was begun. Every batch of log rows that was decided before this
  // call is visible when it returns.
  absl::Status Begin();
  // Begins from the first row again; what was cleared still counts.
  absl::Status BeginAnew();
  // Forgets what was begun.
  absl::Status End();

  // Finds the messages. Gives the identities under which rows of the profiles were appended and
  // that are none of those searched for: the person's then, and perhaps somebody else's now.
  absl::Status Search(TakeNames take_former, const Progress& progress);
  // Clears all rows of the messages. Returns how many rows that was, of all calls since Begin.
  absl::StatusOr<int64_t> Clear(const Progress& progress);
  // Gives the sequences of all rows of the messages, page by page.
  absl::Status Visit(absl::FunctionRef<absl::Status(const std::vector<int64_t>&)> take,
                     const Progress& progress);
  absl::StatusOr<std::vector<Message>> Messages() const;
  // Messages of rows that hold something by which Search would find them, or that should be
  // cleared and are not: they came meanwhile. Up to the present end.
  absl::StatusOr<std::vector<Message>> FindAgain();

 private:
  struct Work {
    int64_t searched_seq = 0;
    int64_t cleared_seq = 0;
    int64_t cleared_rows = 0;
  };
  struct Page {
    int64_t last_seq = 0;
    int64_t end_seq = 0;
    bool more = false;
    std::vector<int64_t> rows;
    std::vector<Message> messages;
    Names former;
  };
  // `cleared`: messages none of whose rows may hold anything; null: not looked at.
  absl::StatusOr<Page> SearchPage(int64_t after, const absl::flat_hash_set<Message>* cleared);
  absl::StatusOr<Page> MessagePage(int64_t after, const absl::flat_hash_set<Message>& messages);
  absl::StatusOr<Work> LoadWork() const;
  absl::Status SaveFound(const Page& page);
  absl::Status ClearRows(const Page& page);
  absl::Status CheckRunning() const;

  InstanceContext& context_;
  SearchedPerson& person_;
  const std::atomic<bool>& stop_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PRIVACY_LOGS_H_
