#include "tests/crash/io_faults/scenario_steps.h"

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle::crash {
namespace {

using storage::Done;
using storage::OpenStream;
using storage::Records;
using storage::StreamKind;
using storage::WriteAck;
using storage::WriteOptions;

constexpr absl::Duration kAnswerMayTake = absl::Seconds(30);
constexpr int64_t kEventUs = int64_t{1'600'000'000} * 1'000'000;

absl::StatusOr<storage::AttributeNumber> NumberOf(World& world, const std::string& attribute) {
  const auto schema = world.instance->schema().schema();
  const storage::Attribute* found = schema->FindAttribute(attribute);
  if (found == nullptr) return absl::NotFoundError(absl::StrCat("attribute ", attribute));
  return found->number;
}

storage::NamespaceNumber ExternalId(World& world) {
  return world.instance->schema().schema()->FindNamespace("external_id")->number;
}

absl::Status AwaitAck(absl::FunctionRef<absl::Status(Done<WriteAck>&)> submit) {
  struct Answer {
    absl::Notification given;
    absl::Status status;
  };
  const auto answer = std::make_shared<Answer>();
  Done<WriteAck> done = [answer](absl::StatusOr<WriteAck> ack) {
    answer->status = ack.status();
    answer->given.Notify();
  };
  RETURN_IF_ERROR(submit(done));
  if (answer->given.WaitForNotificationWithTimeout(kAnswerMayTake)) return answer->status;
  return absl::DeadlineExceededError("the store took a batch and never answered");
}

// The values of one attribute for a range of profiles.
absl::StatusOr<Records> RecordsOf(World& world, Range range, const std::string& attribute,
                                  absl::FunctionRef<storage::Value(int)> value) {
  std::vector<storage::FieldWrite> fields;
  if (!attribute.empty()) {
    ASSIGN_OR_RETURN(const auto number, NumberOf(world, attribute));
    fields.push_back(storage::FieldFor(number));
  }
  Records records(std::move(fields));
  for (int id = range.first; id < range.end; ++id) {
    std::vector<storage::Value> values;
    if (!attribute.empty()) values.push_back(value(id));
    records.Add({{ExternalId(world), absl::StrCat(id)}}, std::move(values));
    records.Last().content_hash = static_cast<uint32_t>(id + 1);
  }
  return records;
}

absl::StatusOr<storage::PushBatch> PushOf(World& world, const std::string& audience, Range range) {
  ASSIGN_OR_RETURN(const auto destination, world.instance->flows().GetDestination("push", {}));
  ASSIGN_OR_RETURN(const auto target, world.instance->audiences().GetAudience(audience, {}));
  ASSIGN_OR_RETURN(Records records,
                   RecordsOf(world, range, "", [](int) { return storage::Absent(); }));
  storage::PushBatch batch;
  batch.destination = destination.number;
  batch.destination_revision = destination.revision;
  batch.audiences = {target.number};
  batch.rows = records.Take();
  for (storage::Record& record : batch.rows.records) record.qualified_us = kEventUs;
  return batch;
}

storage::LogRecord LogRecordOf(World& world, int id, bool opt_out, const std::string& text) {
  storage::LogRecord record;
  record.content_hash = static_cast<uint32_t>(id + 1);
  storage::LogRow& row = record.row;
  row.delivery = "d";
  row.broadlog_id = id + 1;
  row.event_us = kEventUs;
  row.identity_namespace = "external_id";
  row.identity_ns = ExternalId(world);
  row.identity = text;
  if (!opt_out) {
    row.status = storage::kStatusSent;
    return record;
  }
  row.kind = storage::LogKind::kTracking;
  row.tracking_log_id = id + 1;
  row.tracking_kind = storage::kTrackingOptOut;
  return record;
}

}  // namespace

absl::Status SendBatch(
    World& world, const OpenStream& stream, int64_t offset,
    absl::FunctionRef<absl::Status(const WriteOptions&, Done<WriteAck>&)> submit) {
  ASSIGN_OR_RETURN(const auto opened, world.instance->streams().Open(stream));
  WriteOptions options;
  options.position = storage::StreamPosition{stream.stream, opened.value.epoch, offset, "token"};
  return AwaitAck([&](Done<WriteAck>& done) { return submit(options, done); });
}

absl::Status Import(World& world, const std::string& stream, Range range, int64_t offset) {
  ASSIGN_OR_RETURN(Records records, RecordsOf(world, range, "city", [](int id) {
                     return storage::Text(absl::StrCat("city ", id));
                   }));
  storage::ImportBatch batch{{}, records.Take()};
  return SendBatch(world, {stream, StreamKind::kImportProfiles}, offset,
                   [&](const WriteOptions& options, Done<WriteAck>& done) {
                     batch.options = options;
                     return world.instance->importer().SubmitImport(batch, done);
                   });
}

absl::Status Sync(World& world, Range range) {
  ASSIGN_OR_RETURN(const auto destination, world.instance->flows().GetDestination("sync", {}));
  ASSIGN_OR_RETURN(Records records,
                   RecordsOf(world, range, "age", [](int) { return storage::Int(7); }));
  storage::UpdateBatch batch{{}, destination.number, destination.revision, records.Take()};
  return SendBatch(world, {"sync", StreamKind::kSyncProfiles, "sync"}, 0,
                   [&](const WriteOptions& options, Done<WriteAck>& done) {
                     batch.options = options;
                     return world.instance->profiles().SubmitUpdates(batch, done);
                   });
}

absl::Status Push(World& world, const std::string& audience, Range range) {
  ASSIGN_OR_RETURN(storage::PushBatch batch, PushOf(world, audience, range));
  return SendBatch(world, {absl::StrCat("push-", audience), StreamKind::kPushMembers, "push"}, 0,
                   [&](const WriteOptions& options, Done<WriteAck>& done) {
                     batch.options = options;
                     return world.instance->audiences().SubmitPush(batch, done);
                   });
}

namespace {

OpenStream ReplaceStream() {
  OpenStream stream{"replace", StreamKind::kReplaceMembers, "push"};
  stream.replace = storage::ReplaceOptions{"replaced", kEventUs + 1, {}};
  return stream;
}

}  // namespace

absl::Status StageReplace(World& world, Range range) {
  ASSIGN_OR_RETURN(storage::PushBatch batch, PushOf(world, "replaced", range));
  batch.replace = true;
  return SendBatch(world, ReplaceStream(), 0,
                   [&](const WriteOptions& options, Done<WriteAck>& done) {
                     batch.options = options;
                     return world.instance->audiences().SubmitPush(batch, done);
                   });
}

absl::Status PublishReplace(World& world, int64_t staged) {
  ASSIGN_OR_RETURN(const auto opened, world.instance->streams().Open(ReplaceStream()));
  return world.instance->streams().Finish("replace", opened.value.epoch, staged).status();
}

absl::Status Append(World& world, Range range, int64_t offset, bool opt_out) {
  auto texts = std::make_shared<std::deque<std::string>>();
  storage::AppendBatch batch;
  batch.keepalive = texts;
  for (int id = range.first; id < range.end; ++id) {
    batch.rows.push_back(LogRecordOf(world, id, opt_out, texts->emplace_back(absl::StrCat(id))));
  }
  return SendBatch(world, {"logs", StreamKind::kAppendLogs}, offset,
                   [&](const WriteOptions& options, Done<WriteAck>& done) {
                     batch.options = options;
                     return world.instance->logs().SubmitAppend(batch, done);
                   });
}

absl::StatusOr<int64_t> CountLogRows(World& world, std::optional<storage::LogKind> kind) {
  storage::LogFilter filter;
  if (kind.has_value()) filter.kinds.push_back(*kind);
  int64_t rows = 0;
  const auto count = [&](const storage::LogRow&) {
    ++rows;
    return false;
  };
  RETURN_IF_ERROR(world.instance->logs().ReadLogs(filter, 0, 10'000, 10'000, count, {}).status());
  return rows;
}

absl::StatusOr<int64_t> CountMembers(World& world, const std::string& audience) {
  ASSIGN_OR_RETURN(const auto moment, world.instance->audiences().MomentOf(audience, {}, {}));
  ASSIGN_OR_RETURN(const auto count, world.instance->audiences().CountMembers(moment, {}, {}));
  return count.members;
}

absl::StatusOr<int64_t> CountProfiles(World& world, Range range,
                                      absl::FunctionRef<bool(const storage::Profile&)> is_so) {
  std::vector<std::string> texts;
  for (int id = range.first; id < range.end; ++id) texts.push_back(absl::StrCat(id));
  std::vector<storage::IdentityCell> identities;
  for (const std::string& text : texts) identities.push_back({ExternalId(world), text, false});
  ASSIGN_OR_RETURN(auto ids, world.instance->profiles().LookupProfiles(identities, {}));
  std::vector<storage::ProfileId> present;
  for (const storage::ProfileId id : ids) {
    if (id) present.push_back(id);
  }
  ASSIGN_OR_RETURN(const auto profiles, world.instance->profiles().GetProfiles(present, {}));
  int64_t count = 0;
  for (const storage::Profile& profile : profiles) count += is_so(profile) ? 1 : 0;
  return count;
}

int64_t IntOf(World& world, const storage::Profile& profile, const std::string& attribute) {
  const auto number = NumberOf(world, attribute);
  for (const auto& [present, cell] : profile.attributes) {
    if (number.ok() && present == *number && cell.kind == storage::Cell::Kind::kInt) {
      return cell.integer;
    }
  }
  return -1;
}

absl::StatusOr<Seen> SeenBy(const absl::Status& found) {
  if (found.ok()) return Seen::kPresent;
  if (absl::IsNotFound(found)) return Seen::kAbsent;
  return found;
}

}  // namespace passerelle::crash
