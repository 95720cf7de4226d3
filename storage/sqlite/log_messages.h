// The present status of messages, and what a batch of log rows does to it and to the report.
#ifndef PASSERELLE_STORAGE_SQLITE_LOG_MESSAGES_H_
#define PASSERELLE_STORAGE_SQLITE_LOG_MESSAGES_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "storage/log_store.h"
#include "storage/sqlite/report.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

// One appended row, as messages see it.
struct MessageEvent {
  int64_t delivery = 0;
  int64_t event_us = 0;
  int64_t seq = 0;
  const LogRow* row = nullptr;
  bool suppressed = false;  // counts as a row; its message is of somebody who was erased
};

// Which messages went to somebody who was erased, as of a batch that is being decided: those of
// which a row was suppressed or cleared, in the file or earlier in the batch. They stay so, whoever
// else a later row names. Not thread-safe.
class ErasedMessages {
 public:
  explicit ErasedMessages(Database& db) : db_(db) {}
  // May throw SQLite::Exception.
  bool Has(const MessageKey& message);
  void Add(const MessageKey& message) { added_.emplace(message.delivery, message.broadlog_id); }

 private:
  Database& db_;
  absl::flat_hash_set<std::pair<int64_t, int64_t>> added_;
};

// Applies rows that are appended in this transaction to their messages and to the report numbers.
// `events` is in the order of sequence, and is sorted here by message. True: they told of whom an
// opt-out or bounce without an identity is (message_opt_outs.h), so that the follower has something
// to apply. May throw SQLite::Exception.
bool ApplyToMessages(Transaction& transaction, ReportNumbers& numbers,
                     std::vector<MessageEvent>& events);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_LOG_MESSAGES_H_
