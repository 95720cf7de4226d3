#include "storage/sqlite/deliveries.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/sqlite/admin_write.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

#define DELIVERY_COLUMNS \
  "number, id, display_name, channel, purpose, campaign, create_us, update_us, revision"

constexpr char kGet[] = "SELECT " DELIVERY_COLUMNS " FROM delivery WHERE id = ?1";
constexpr char kList[] =
    "SELECT " DELIVERY_COLUMNS " FROM delivery WHERE id > ?1 ORDER BY id LIMIT ?2";
constexpr char kInsert[] = "INSERT INTO delivery(" DELIVERY_COLUMNS
                           ", log_rows) "
                           "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0)";
constexpr char kUpdate[] =
    "UPDATE delivery SET display_name = ?2, purpose = ?3, campaign = ?4, update_us = ?5, "
    "revision = ?6 WHERE number = ?1";
constexpr char kDelete[] = "DELETE FROM delivery WHERE number = ?1";
constexpr char kLogRows[] = "SELECT log_rows FROM delivery WHERE number = ?1";
constexpr char kGetAudiences[] =
    "SELECT audience FROM delivery_audience WHERE delivery = ?1 ORDER BY position";
constexpr char kAddAudience[] =
    "INSERT INTO delivery_audience(delivery, position, audience) VALUES (?1, ?2, ?3)";
constexpr char kDeleteAudiences[] = "DELETE FROM delivery_audience WHERE delivery = ?1";
constexpr char kOfAudience[] =
    "SELECT DISTINCT d.id FROM delivery_audience a JOIN delivery d ON d.number = a.delivery "
    "WHERE a.audience = ?1 ORDER BY d.id";
constexpr char kNumberOf[] = "SELECT number FROM delivery WHERE id = ?1";
constexpr char kIdOf[] = "SELECT id FROM delivery WHERE number = ?1";

constexpr char kDelivery[] = "delivery";
constexpr size_t kCachedDeliveriesMax = 8'192;

Delivery DeliveryOf(const Statement& row) {
  Delivery delivery;
  delivery.number = DeliveryNumber{row.Int(0)};
  delivery.id = row.Text(1);
  delivery.display_name = row.Text(2);
  delivery.channel = row.Text(3);
  delivery.purpose = row.Text(4);
  delivery.campaign = row.Text(5);
  delivery.create_us = row.Int(6);
  delivery.update_us = row.Int(7);
  delivery.etag = EtagOf(row.Int(8));
  return delivery;
}

void ReadAudiences(Database& db, Delivery& delivery) {
  StatementScope get(db.Prepared(kGetAudiences));
  get->BindAll(delivery.number.value);
  while (get->Step()) delivery.audiences.emplace_back(get->Text(0));
}

absl::StatusOr<Delivery> ReadDelivery(Database& db, std::string_view id) {
  Delivery delivery;
  {
    StatementScope get(db.Prepared(kGet));
    get->BindAll(id);
    if (!get->Step()) return MissingError(kDelivery, id);
    delivery = DeliveryOf(*get);
  }
  ReadAudiences(db, delivery);
  return delivery;
}

void WriteAudiences(Database& db, const Delivery& delivery) {
  StatementScope(db.Prepared(kDeleteAudiences))->BindAll(delivery.number.value).Run();
  int position = 0;
  for (const std::string& audience : delivery.audiences) {
    StatementScope add(db.Prepared(kAddAudience));
    add->BindAll(delivery.number.value, position++, audience).Run();
  }
}

absl::Status CheckNotInUse(Database& db, const Delivery& delivery,
                           const std::vector<std::string>& sources) {
  StatementScope get(db.Prepared(kLogRows));
  get->BindAll(delivery.number.value);
  const int64_t log_rows = get->Step() ? get->Int(0) : 0;
  if (log_rows == 0 && sources.empty()) return absl::OkStatus();
  std::vector<std::string> dependents;
  for (const std::string& source : sources) dependents.push_back(absl::StrCat("sources/", source));
  if (log_rows != 0) dependents.push_back(absl::StrCat(log_rows, " log rows"));
  return InUseError(kDelivery, delivery.id, dependents);
}

}  // namespace

absl::StatusOr<Written<Delivery>> Deliveries::Create(const Delivery& delivery,
                                                     const AdminWrite& write) {
  Written<Delivery> written;
  const auto present = [&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(written.value, ReadDelivery(transaction.db(), delivery.id));
    return absl::OkStatus();
  };
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    if (ReadDelivery(transaction.db(), delivery.id).ok()) {
      return ExistingError(kDelivery, delivery.id);
    }
    Delivery made = delivery;
    made.number = DeliveryNumber{transaction.NextSeq()};
    made.create_us = made.update_us = transaction.commit_us();
    made.etag = EtagOf(made.number.value);
    {
      StatementScope insert(transaction.db().Prepared(kInsert));
      insert
          ->BindAll(made.number.value, made.id, made.display_name, made.channel, made.purpose,
                    made.campaign, made.create_us, made.update_us, made.number.value)
          .Run();
    }
    WriteAudiences(transaction.db(), made);
    written.value = std::move(made);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(written.position, WriteAdmin(logs_, write, decide, present));
  return written;
}

absl::StatusOr<Written<Delivery>> Deliveries::Update(const Delivery& delivery,
                                                     const AdminWrite& write) {
  Written<Delivery> written;
  const auto present = [&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(written.value, ReadDelivery(transaction.db(), delivery.id));
    return absl::OkStatus();
  };
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    ASSIGN_OR_RETURN(Delivery changed, ReadDelivery(transaction.db(), delivery.id));
    RETURN_IF_ERROR(CheckEtag(write, changed.etag));
    changed.display_name = delivery.display_name;
    changed.purpose = delivery.purpose;
    changed.campaign = delivery.campaign;
    changed.audiences = delivery.audiences;
    changed.update_us = transaction.commit_us();
    const int64_t revision = transaction.NextSeq();
    changed.etag = EtagOf(revision);
    {
      StatementScope update(transaction.db().Prepared(kUpdate));
      update
          ->BindAll(changed.number.value, changed.display_name, changed.purpose, changed.campaign,
                    changed.update_us, revision)
          .Run();
    }
    WriteAudiences(transaction.db(), changed);
    written.value = std::move(changed);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(written.position, WriteAdmin(logs_, write, decide, present));
  return written;
}

absl::StatusOr<Written<Delivery>> Deliveries::Delete(std::string_view id,
                                                     const std::vector<std::string>& sources,
                                                     const AdminWrite& write) {
  Written<Delivery> written;
  // A repeated request finds nothing left to show but the id.
  const auto present = [&](Transaction&) -> absl::Status {
    written.value.id = id;
    return absl::OkStatus();
  };
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    Database& db = transaction.db();
    ASSIGN_OR_RETURN(written.value, ReadDelivery(db, id));
    RETURN_IF_ERROR(CheckEtag(write, written.value.etag));
    RETURN_IF_ERROR(CheckNotInUse(db, written.value, sources));
    StatementScope(db.Prepared(kDeleteAudiences))->BindAll(written.value.number.value).Run();
    StatementScope(db.Prepared(kDelete))->BindAll(written.value.number.value).Run();
    transaction.OnCommitted([this](const CommitInfo&) { number_by_id_.clear(); });
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(written.position,
                   WriteAdmin(logs_, write, decide, present, WriteKind::kRelieving));
  return written;
}

absl::StatusOr<Delivery> Deliveries::Get(std::string_view id, const ReadContext& context) const {
  Delivery delivery;
  RETURN_IF_ERROR(logs_.Read(context, "deliveries: get", [&](const ReadLease& lease) {
    auto found = ReadDelivery(lease.db(), id);
    if (found.ok()) delivery = *std::move(found);
    return found.status();
  }));
  return delivery;
}

absl::StatusOr<Page<Delivery>> Deliveries::List(const PageRequest& page,
                                                const ReadContext& context) const {
  Page<Delivery> result;
  RETURN_IF_ERROR(logs_.Read(context, "deliveries: list", [&](const ReadLease& lease) {
    StatementScope list(lease.db().Prepared(kList));
    list->BindAll(page.after, page.limit + int64_t{1});
    while (list->Step()) {
      if (static_cast<int32_t>(result.items.size()) == page.limit) {
        result.next = result.items.empty() ? page.after : result.items.back().id;
        break;
      }
      result.items.push_back(DeliveryOf(*list));
    }
    for (Delivery& delivery : result.items) ReadAudiences(lease.db(), delivery);
    return absl::OkStatus();
  }));
  return result;
}

absl::StatusOr<std::vector<std::string>> Deliveries::OfAudience(std::string_view audience,
                                                                const ReadContext& context) const {
  std::vector<std::string> ids;
  RETURN_IF_ERROR(logs_.Read(context, "deliveries: of an audience", [&](const ReadLease& lease) {
    StatementScope list(lease.db().Prepared(kOfAudience));
    list->BindAll(audience);
    while (list->Step()) ids.emplace_back(list->Text(0));
    return absl::OkStatus();
  }));
  return ids;
}

// Deliveries are made and deleted in transactions of their own, so that whatever an append finds is
// committed; only a deletion can make an entry wrong, and it clears the cache.
DeliveryNumber Deliveries::NumberOf(Transaction& transaction, std::string_view id) {
  if (auto found = number_by_id_.find(absl::string_view(id.data(), id.size()));
      found != number_by_id_.end())
    return found->second;
  StatementScope get(transaction.db().Prepared(kNumberOf));
  get->BindAll(id);
  if (!get->Step()) return {};
  const DeliveryNumber number{get->Int(0)};
  if (number_by_id_.size() >= kCachedDeliveriesMax) number_by_id_.clear();
  number_by_id_.emplace(std::string(id), number);
  return number;
}

// A number means one delivery for ever, so that an entry never becomes wrong.
std::shared_ptr<const std::string> Deliveries::IdOf(const ReadLease& lease, int64_t number) const {
  {
    absl::MutexLock lock(&mutex_);
    if (auto found = id_by_number_.find(number); found != id_by_number_.end()) {
      return found->second;
    }
  }
  StatementScope get(lease.db().Prepared(kIdOf));
  get->BindAll(number);
  if (!get->Step()) return std::make_shared<const std::string>();
  auto id = std::make_shared<const std::string>(get->Text(0));
  absl::MutexLock lock(&mutex_);
  if (id_by_number_.size() >= kCachedDeliveriesMax) id_by_number_.clear();
  id_by_number_.emplace(number, id);
  return id;
}

}  // namespace passerelle::storage::sqlite
