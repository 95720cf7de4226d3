#include "storage/sqlite/consumers.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/log_reads.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kGet[] =
    "SELECT source, id, acknowledged_seq, acknowledge_us, create_us FROM consumer "
    "WHERE source = ?1 AND id = ?2";
constexpr char kList[] =
    "SELECT source, id, acknowledged_seq, acknowledge_us, create_us FROM consumer "
    "WHERE source = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
constexpr char kInsert[] =
    "INSERT INTO consumer(source, id, acknowledged_seq, create_us) VALUES (?1, ?2, 0, ?3)";
constexpr char kMove[] =
    "UPDATE consumer SET acknowledged_seq = ?3, acknowledge_us = ?4 WHERE source = ?1 AND id = ?2";
constexpr char kDelete[] = "DELETE FROM consumer WHERE source = ?1 AND id = ?2";
constexpr char kDeleteOf[] = "DELETE FROM consumer WHERE source = ?1";
constexpr char kNextSeq[] = "SELECT value FROM meta WHERE key = 'next_seq'";

Consumer ConsumerOf(const Statement& row, int64_t last_row) {
  Consumer consumer;
  consumer.source = row.Text(0);
  consumer.id = row.Text(1);
  consumer.acknowledged_sequence = row.Int(2);
  consumer.acknowledge_us = row.Int(3);
  consumer.create_us = row.Int(4);
  consumer.lag = std::max<int64_t>(0, last_row - consumer.acknowledged_sequence);
  return consumer;
}

absl::StatusOr<Consumer> ReadConsumer(Database& db, std::string_view source, std::string_view id) {
  const int64_t last_row = LastLogRow(db);
  StatementScope get(db.Prepared(kGet));
  get->BindAll(source, id);
  if (get->Step()) return ConsumerOf(*get, last_row);
  return MakeError(
      absl::StatusCode::kNotFound, Reason::kNotFound,
      absl::StrCat("source ", std::string(source), " has no consumer ", std::string(id)));
}

// What was committed before this transaction: its own numbers are not given out yet.
absl::Status CheckSequence(Database& db, int64_t sequence) {
  StatementScope get(db.Prepared(kNextSeq));
  const int64_t end = get->Step() ? get->Int(0) - 1 : 0;
  if (sequence >= 0 && sequence <= end) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kOutOfRange, Reason::kBeyondEnd,
      absl::StrCat("sequence: got ", sequence, ", wanted 0 to ", end, ", the last one"));
}

}  // namespace

absl::StatusOr<Written<Consumer>> Consumers::Create(std::string_view source, std::string_view id,
                                                    const AdminWrite& write) {
  Written<Consumer> written;
  const auto present = [&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(written.value, ReadConsumer(transaction.db(), source, id));
    return absl::OkStatus();
  };
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    if (ReadConsumer(transaction.db(), source, id).ok()) {
      return MakeError(
          absl::StatusCode::kAlreadyExists, Reason::kAlreadyExists,
          absl::StrCat("source ", std::string(source), " has a consumer ", std::string(id)));
    }
    StatementScope(transaction.db().Prepared(kInsert))
        ->BindAll(source, id, transaction.commit_us())
        .Run();
    return present(transaction);
  };
  ASSIGN_OR_RETURN(written.position, WriteAdmin(logs_, write, decide, present));
  return written;
}

absl::StatusOr<Written<Consumer>> Consumers::Delete(std::string_view source, std::string_view id) {
  Written<Consumer> written;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(written.value, ReadConsumer(transaction.db(), source, id));
    StatementScope(transaction.db().Prepared(kDelete))->BindAll(source, id).Run();
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(written.position, logs_.Write(decide, WriteKind::kRelieving));
  return written;
}

absl::Status Consumers::DeleteOf(std::string_view source) {
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    StatementScope(transaction.db().Prepared(kDeleteOf))->BindAll(source).Run();
    return absl::OkStatus();
  };
  return logs_.Write(decide, WriteKind::kRelieving).status();
}

absl::StatusOr<Consumer> Consumers::Get(std::string_view source, std::string_view id,
                                        const ReadContext& context) const {
  Consumer consumer;
  RETURN_IF_ERROR(logs_.Read(context, "consumers: get", [&](const ReadLease& lease) {
    auto found = ReadConsumer(lease.db(), source, id);
    if (found.ok()) consumer = *std::move(found);
    return found.status();
  }));
  return consumer;
}

absl::StatusOr<Page<Consumer>> Consumers::List(std::string_view source, const PageRequest& page,
                                               const ReadContext& context) const {
  Page<Consumer> result;
  RETURN_IF_ERROR(logs_.Read(context, "consumers: list", [&](const ReadLease& lease) {
    const int64_t last_row = LastLogRow(lease.db());
    StatementScope list(lease.db().Prepared(kList));
    list->BindAll(source, page.after, page.limit + int64_t{1});
    while (list->Step()) {
      if (static_cast<int32_t>(result.items.size()) == page.limit) {
        result.next = result.items.empty() ? page.after : result.items.back().id;
        break;
      }
      result.items.push_back(ConsumerOf(*list, last_row));
    }
    return absl::OkStatus();
  }));
  return result;
}

absl::StatusOr<Written<Consumer>> Consumers::Acknowledge(std::string_view source,
                                                         std::string_view id, int64_t sequence) {
  return Move(source, id, sequence, /*backwards_too=*/false);
}

absl::StatusOr<Written<Consumer>> Consumers::Seek(std::string_view source, std::string_view id,
                                                  int64_t sequence) {
  return Move(source, id, sequence, /*backwards_too=*/true);
}

absl::StatusOr<Written<Consumer>> Consumers::Move(std::string_view source, std::string_view id,
                                                  int64_t sequence, bool backwards_too) {
  Written<Consumer> written;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    Database& db = transaction.db();
    ASSIGN_OR_RETURN(written.value, ReadConsumer(db, source, id));
    RETURN_IF_ERROR(CheckSequence(db, sequence));
    if (!backwards_too && sequence <= written.value.acknowledged_sequence) return absl::OkStatus();
    StatementScope(db.Prepared(kMove))
        ->BindAll(source, id, sequence, transaction.commit_us())
        .Run();
    ASSIGN_OR_RETURN(written.value, ReadConsumer(db, source, id));
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(written.position, logs_.Write(decide, WriteKind::kRelieving));
  return written;
}

}  // namespace passerelle::storage::sqlite
