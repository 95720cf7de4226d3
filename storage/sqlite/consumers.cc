#include "storage/sqlite/consumers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/admin_write.h"
#include "storage/sqlite/consumer_rows.h"
#include "storage/sqlite/log_reads.h"
#include "storage/sqlite/meta_rows.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

// What was committed before this transaction: its own numbers are not given out yet.
absl::Status CheckSequence(Database& db, int64_t sequence) {
  const int64_t end = MetaNumber(db, "next_seq").value_or(1) - 1;
  if (sequence >= 0 && sequence <= end) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kOutOfRange, Reason::kBeyondEnd,
      absl::StrCat("sequence: got ", sequence, ", wanted 0 to ", end, ", the last one"));
}

absl::Status CheckSettings(const ConsumerSettings& settings) {
  if (settings.max_pin_us.value_or(1) > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("max_pin_us: got ", *settings.max_pin_us, ", wanted more than 0"));
}

absl::Status CheckNotExpired(const Consumer& consumer) {
  if (consumer.expired_us == 0) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kConsumerExpired,
                   absl::StrCat("consumer ", consumer.id, " of source ", consumer.source,
                                " expired: rows after its position may be gone; seek it"));
}

// Without what only ConsumerJudge tells, which looks at the whole log.
absl::StatusOr<Consumer> Stored(Database& db, std::string_view source, std::string_view id) {
  auto consumer = LoadConsumer(db, source, id);
  if (consumer.has_value()) return *std::move(consumer);
  return MakeError(
      absl::StatusCode::kNotFound, Reason::kNotFound,
      absl::StrCat("source ", std::string(source), " has no consumer ", std::string(id)));
}

}  // namespace

absl::StatusOr<Consumer> Consumers::Read(Database& db, std::string_view source, std::string_view id,
                                         int64_t now_us) const {
  ASSIGN_OR_RETURN(Consumer consumer, Stored(db, source, id));
  ConsumerJudge(db, context_.retention, now_us).Judge(consumer);
  return consumer;
}

absl::StatusOr<Written<Consumer>> Consumers::Create(std::string_view source, std::string_view id,
                                                    const ConsumerSettings& settings,
                                                    const AdminWrite& write) {
  RETURN_IF_ERROR(CheckSettings(settings));
  Written<Consumer> written;
  const auto present = [&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(written.value, Read(transaction.db(), source, id, transaction.commit_us()));
    return absl::OkStatus();
  };
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    if (LoadConsumer(transaction.db(), source, id).has_value()) {
      return MakeError(
          absl::StatusCode::kAlreadyExists, Reason::kAlreadyExists,
          absl::StrCat("source ", std::string(source), " has a consumer ", std::string(id)));
    }
    Consumer consumer;
    consumer.source = source;
    consumer.id = id;
    consumer.settings = settings;
    consumer.create_us = transaction.commit_us();
    InsertConsumer(transaction.db(), consumer);
    return present(transaction);
  };
  ASSIGN_OR_RETURN(written.position, WriteAdmin(logs_, write, decide, present));
  return written;
}

absl::StatusOr<Written<Consumer>> Consumers::Update(std::string_view source, std::string_view id,
                                                    const ConsumerSettings& settings) {
  RETURN_IF_ERROR(CheckSettings(settings));
  Written<Consumer> written;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    Database& db = transaction.db();
    ASSIGN_OR_RETURN(Consumer present, Stored(db, source, id));
    present.settings = settings;
    UpdateConsumerSettings(db, present);
    ASSIGN_OR_RETURN(written.value, Read(db, source, id, transaction.commit_us()));
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(written.position, logs_.Write(decide));
  return written;
}

absl::StatusOr<Written<Consumer>> Consumers::Delete(std::string_view source, std::string_view id) {
  Written<Consumer> written;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    Database& db = transaction.db();
    ASSIGN_OR_RETURN(written.value, Read(db, source, id, transaction.commit_us()));
    DeleteConsumerRows(db, source, id);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(written.position, logs_.Write(decide, WriteKind::kRelieving));
  return written;
}

absl::Status Consumers::DeleteOf(std::string_view source) {
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    DeleteConsumersOfSource(transaction.db(), source);
    return absl::OkStatus();
  };
  return logs_.Write(decide, WriteKind::kRelieving).status();
}

absl::StatusOr<Consumer> Consumers::Get(std::string_view source, std::string_view id,
                                        const ReadContext& context) const {
  Consumer consumer;
  const int64_t now_us = absl::ToUnixMicros(context_.clock());
  RETURN_IF_ERROR(logs_.Read(context, "consumers: get", [&](const ReadLease& lease) {
    auto found = Read(lease.db(), source, id, now_us);
    if (found.ok()) consumer = *std::move(found);
    return found.status();
  }));
  return consumer;
}

absl::StatusOr<Page<Consumer>> Consumers::List(std::string_view source, const PageRequest& page,
                                               const ReadContext& context) const {
  Page<Consumer> result;
  const int64_t now_us = absl::ToUnixMicros(context_.clock());
  RETURN_IF_ERROR(logs_.Read(context, "consumers: list", [&](const ReadLease& lease) {
    const ConsumerJudge judge(lease.db(), context_.retention, now_us);
    result =
        PageOf(LoadConsumers(lease.db(), source, page.after, page.limit + int64_t{1}), page.limit);
    for (Consumer& consumer : result.items) judge.Judge(consumer);
    return absl::OkStatus();
  }));
  return result;
}

absl::StatusOr<Written<Consumer>> Consumers::Acknowledge(std::string_view source,
                                                         std::string_view id, int64_t sequence) {
  Written<Consumer> written;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    Database& db = transaction.db();
    const int64_t now_us = transaction.commit_us();
    ASSIGN_OR_RETURN(const Consumer present, Stored(db, source, id));
    RETURN_IF_ERROR(CheckNotExpired(present));
    RETURN_IF_ERROR(CheckSequence(db, sequence));
    const bool forward = sequence > present.acknowledged_sequence;
    if (forward || present.acknowledge_us == 0) RETURN_IF_ERROR(CheckKept(db, sequence));
    if (forward) AddRange(db, source, id, {present.acknowledged_sequence + 1, sequence});
    if (forward || present.acknowledge_us == 0) MoveConsumer(db, present, sequence, now_us);
    ASSIGN_OR_RETURN(written.value, Read(db, source, id, now_us));
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(written.position, logs_.Write(decide, WriteKind::kRelieving));
  return written;
}

absl::StatusOr<Written<Consumer>> Consumers::Seek(std::string_view source, std::string_view id,
                                                  SeekTo to) {
  Written<Consumer> written;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    Database& db = transaction.db();
    const int64_t now_us = transaction.commit_us();
    ASSIGN_OR_RETURN(const Consumer present, Stored(db, source, id));
    RETURN_IF_ERROR(CheckSequence(db, to.sequence));
    const int64_t first = to.or_first_kept ? ReadPurged(db).sequence : 0;
    const int64_t sequence = std::max(to.sequence, first);
    RETURN_IF_ERROR(CheckKept(db, sequence));
    MoveConsumer(db, present, sequence, now_us);
    SetSought(db, present, now_us);
    ASSIGN_OR_RETURN(written.value, Read(db, source, id, now_us));
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(written.position, logs_.Write(decide, WriteKind::kRelieving));
  return written;
}

}  // namespace passerelle::storage::sqlite
