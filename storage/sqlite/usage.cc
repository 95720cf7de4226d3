#include "storage/sqlite/usage.h"

#include "storage/sqlite/consumer_rows.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kCountAudiences[] = "SELECT count(*) FROM audience WHERE deleted = 0";
constexpr char kCountDestinations[] = "SELECT count(*) FROM destination";
constexpr char kCountSources[] = "SELECT count(*) FROM source";
constexpr char kCountStreams[] = "SELECT count(*) FROM stream_name";
constexpr char kCountDeliveries[] = "SELECT count(*) FROM delivery";
constexpr char kCountLogRows[] =
    "SELECT coalesce(sum(log_rows), 0)"
    " - coalesce((SELECT value FROM meta WHERE key = 'log_purged_rows'), 0) FROM delivery";
constexpr char kCountProfiles[] =
    "SELECT count(*), max(id) FROM (SELECT id FROM profile WHERE id > ?1 ORDER BY id LIMIT ?2)";

// A page of wide rows is read in well under the 50 ms that a read may last.
constexpr int64_t kProfilesPerRead = 50'000;

int64_t SizeOf(Database& db) {
  return db.QueryInt("PRAGMA page_count") * db.QueryInt("PRAGMA page_size");
}

void CountConsumers(Database& db, const InstanceContext& instance, Usage& usage) {
  const ConsumerJudge judge(db, instance.retention, absl::ToUnixMicros(instance.clock()));
  for (ToldConsumer& told : LoadAllConsumers(db)) {
    judge.Judge(told.consumer);
    const Consumer::State state = told.consumer.state;
    ++usage.consumers;
    usage.consumers_expired += state == Consumer::State::kExpired;
    usage.consumers_behind +=
        state == Consumer::State::kWarning || state == Consumer::State::kCritical;
  }
}

absl::StatusOr<int64_t> CountProfiles(const File& file, const ReadContext& context) {
  int64_t profiles = 0;
  int64_t after = 0;
  int64_t counted = kProfilesPerRead;
  while (counted == kProfilesPerRead) {
    RETURN_IF_ERROR(file.Read(context, "usage: profiles", [&](const ReadLease& lease) {
      StatementScope count(lease.db().Prepared(kCountProfiles));
      count->BindAll(after, kProfilesPerRead);
      count->Step();
      counted = count->Int(0);
      after = count->Int(1);
      return absl::OkStatus();
    }));
    profiles += counted;
  }
  return profiles;
}

}  // namespace

absl::StatusOr<Usage> MeasureUsage(const InstanceContext& instance, const ReadContext& context) {
  Usage usage;
  RETURN_IF_ERROR(instance.profiles->Read(context, "usage", [&](const ReadLease& lease) {
    Database& db = lease.db();
    usage.audiences = db.QueryInt(kCountAudiences);
    usage.destinations = db.QueryInt(kCountDestinations);
    usage.sources = db.QueryInt(kCountSources);
    usage.write_streams = db.QueryInt(kCountStreams);
    usage.database_bytes = SizeOf(db);
    return absl::OkStatus();
  }));
  ReadContext logs_context = context;
  logs_context.at_least_seq = 0;
  RETURN_IF_ERROR(instance.logs->Read(logs_context, "usage: logs", [&](const ReadLease& lease) {
    Database& db = lease.db();
    usage.deliveries = db.QueryInt(kCountDeliveries);
    usage.log_rows = db.QueryInt(kCountLogRows);
    usage.database_bytes += SizeOf(db);
    CountConsumers(db, instance, usage);
    return absl::OkStatus();
  }));
  if (instance.disk != nullptr) usage.disk = instance.disk->space();
  const auto schema = instance.schema.Get();
  usage.attributes = static_cast<int64_t>(schema->attributes().size());
  usage.identity_namespaces = static_cast<int64_t>(schema->namespaces().size());
  ASSIGN_OR_RETURN(usage.profiles, CountProfiles(*instance.profiles, context));
  return usage;
}

}  // namespace passerelle::storage::sqlite
