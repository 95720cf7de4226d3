#include "storage/sqlite/audience_rows.h"

#include <algorithm>
#include <string>

#include "storage/sqlite/admin_write.h"
#include "storage/sqlite/profile_edits.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kById[] =
    "SELECT a.number, a.id, a.display_name, a.kind, a.generation, r.stream, a.create_us,"
    " a.update_us, a.revision FROM audience a LEFT JOIN audience_replace r ON r.audience = a.number"
    " WHERE a.id = ?1 AND a.deleted = 0";
constexpr char kByNumber[] =
    "SELECT a.number, a.id, a.display_name, a.kind, a.generation, r.stream, a.create_us,"
    " a.update_us, a.revision FROM audience a LEFT JOIN audience_replace r ON r.audience = a.number"
    " WHERE a.number = ?1 AND a.deleted = 0";
constexpr char kAfter[] =
    "SELECT a.number, a.id, a.display_name, a.kind, a.generation, r.stream, a.create_us,"
    " a.update_us, a.revision FROM audience a LEFT JOIN audience_replace r ON r.audience = a.number"
    " WHERE a.id > ?1 AND a.deleted = 0 ORDER BY a.id LIMIT ?2";
// Deleted audiences keep their row, so that a number is never used twice.
constexpr char kNextNumber[] = "SELECT ifnull(max(number), 0) + 1 FROM audience";
constexpr char kInsert[] =
    "INSERT INTO audience(number, id, display_name, kind, generation, next_generation,"
    " max_qualified_us, deleted, create_us, update_us, revision)"
    " VALUES (?1, ?2, ?3, ?4, 1, 2, ?5, 0, ?6, ?6, ?7)";
constexpr char kInsertGeneration[] =
    "INSERT INTO audience_generation(audience, generation, from_seq, to_seq, as_of_us)"
    " VALUES (?1, ?2, ?3, 9223372036854775807, ?4)";
constexpr char kTakeGeneration[] =
    "UPDATE audience SET next_generation = next_generation + 1 WHERE number = ?1"
    " RETURNING next_generation - 1";
constexpr char kEndGeneration[] =
    "UPDATE audience_generation SET to_seq = ?2 WHERE audience = ?1"
    " AND generation = (SELECT generation FROM audience WHERE number = ?1) RETURNING as_of_us";
constexpr char kSetGeneration[] = "UPDATE audience SET generation = ?2 WHERE number = ?1";
constexpr char kInsertChange[] =
    "INSERT INTO change(seq, kind, profile, audience) VALUES (?1, ?2, NULL, ?3)";

std::optional<Audience> ReadAudience(Statement& get) {
  if (!get.Step()) return std::nullopt;
  Audience audience;
  audience.number = AudienceNumber{get.Int(0)};
  audience.id = std::string(get.Text(1));
  audience.display_name = std::string(get.Text(2));
  audience.kind = static_cast<AudienceKind>(get.Int(3));
  audience.generation = get.Int(4);
  audience.replacing_stream = std::string(get.Text(5));
  audience.create_us = get.Int(6);
  audience.update_us = get.Int(7);
  audience.etag = EtagOf(get.Int(8));
  return audience;
}

void InsertGeneration(Transaction& transaction, AudienceNumber audience, int64_t generation,
                      int64_t from_seq, int64_t as_of_us) {
  StatementScope insert(transaction.db().Prepared(kInsertGeneration));
  insert->BindAll(audience.value, generation, from_seq, as_of_us).Run();
}

}  // namespace

std::optional<Audience> FindAudience(Database& db, std::string_view id) {
  StatementScope get(db.Prepared(kById));
  get->BindText(1, id);
  return ReadAudience(*get);
}

std::optional<Audience> FindAudience(Database& db, AudienceNumber number) {
  StatementScope get(db.Prepared(kByNumber));
  get->BindInt(1, number.value);
  return ReadAudience(*get);
}

std::vector<Audience> FindAudiences(Database& db, const PageRequest& page) {
  std::vector<Audience> audiences;
  StatementScope list(db.Prepared(kAfter));
  list->BindAll(page.after, page.limit);
  for (auto next = ReadAudience(*list); next.has_value(); next = ReadAudience(*list)) {
    audiences.push_back(*std::move(next));
  }
  return audiences;
}

Audience CreateListAudience(Transaction& transaction, std::string_view id,
                            std::string_view display_name) {
  const AudienceNumber number{transaction.db().QueryInt(kNextNumber)};
  const int64_t seq = transaction.NextSeq();
  {
    StatementScope insert(transaction.db().Prepared(kInsert));
    insert
        ->BindAll(number.value, id, display_name, AudienceKind::kList, kNoAsOf,
                  transaction.commit_us(), seq)
        .Run();
  }
  InsertGeneration(transaction, number, 1, seq, kNoAsOf);
  return *FindAudience(transaction.db(), number);
}

Audience FindOrCreateListAudience(Transaction& transaction, std::string_view id,
                                  std::string_view display_name) {
  auto found = FindAudience(transaction.db(), id);
  return found.has_value() ? *std::move(found) : CreateListAudience(transaction, id, display_name);
}

void PublishGeneration(Transaction& transaction, AudienceNumber audience, int64_t generation,
                       int64_t as_of_us) {
  const int64_t seq = transaction.NextSeq();
  {
    StatementScope end(transaction.db().Prepared(kEndGeneration));
    end->BindAll(audience.value, seq);
    if (end->Step()) as_of_us = std::max(as_of_us, end->Int(0));
    end->Step();
  }
  InsertGeneration(transaction, audience, generation, seq, as_of_us);
  StatementScope set(transaction.db().Prepared(kSetGeneration));
  set->BindAll(audience.value, generation).Run();
  StatementScope change(transaction.db().Prepared(kInsertChange));
  change->BindAll(seq, ChangeKind::kGeneration, audience.value).Run();
}

int64_t TakeGeneration(Transaction& transaction, AudienceNumber audience) {
  StatementScope take(transaction.db().Prepared(kTakeGeneration));
  take->BindInt(1, audience.value);
  const int64_t generation = take->Step() ? take->Int(0) : 0;
  take->Step();
  return generation;
}

}  // namespace passerelle::storage::sqlite
