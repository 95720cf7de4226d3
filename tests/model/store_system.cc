#include "tests/model/store_system.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/maintenance.h"
#include "storage/reason.h"
#include "tests/storage/contract/sample_keys.h"

namespace passerelle::model {
namespace {

using storage::Reason;

constexpr const char* kOutcomeNames[] = {"UNSPECIFIED", "REJECTED",     "SUPPRESSED", "AMBIGUOUS",
                                         "NOT_FOUND",   "OUT_OF_SCOPE", "STALE",      "CREATED",
                                         "MERGED",      "REALIZED",     "EXITED",     "UPDATED",
                                         "UNCHANGED",   "APPENDED",     "DUPLICATE"};
constexpr const char* kReasonNames[] = {"",
                                        "NOT_UTF8",
                                        "CONTAINS_NUL",
                                        "VALUE_TOO_LONG",
                                        "ROW_TOO_LARGE",
                                        "NOT_FINITE",
                                        "MALFORMED_EMAIL",
                                        "MALFORMED_PHONE",
                                        "MALFORMED_HASH",
                                        "MALFORMED_IDENTITY",
                                        "IDENTITY_MISSING",
                                        "IDENTITY_IN_USE",
                                        "TOO_MANY_IDENTITIES",
                                        "DEVICE_IDENTITY_REQUIRED",
                                        "MANDATORY_FIELD_MISSING",
                                        "TIME_IN_FUTURE",
                                        "WRONG_TYPE",
                                        "OUT_OF_RANGE",
                                        "UNKNOWN_AUDIENCE",
                                        "UNKNOWN_DELIVERY",
                                        "UNKNOWN_FIELD",
                                        "UNKNOWN_NAMESPACE",
                                        "FIELD_INVALID"};

const std::map<Reason, const char*>& PublicNames() {
  static const auto* names = new std::map<Reason, const char*>{
      {Reason::kNone, "FIELD_INVALID"},
      {Reason::kNotFound, "RESOURCE_NOT_FOUND"},
      {Reason::kAlreadyExists, "RESOURCE_ALREADY_EXISTS"},
      {Reason::kRequestIdReused, "REQUEST_ID_REUSED"},
      {Reason::kInUse, "RESOURCE_IN_USE"},
      {Reason::kUnknownAttribute, "UNKNOWN_ATTRIBUTE"},
      {Reason::kUnknownNamespace, "UNKNOWN_NAMESPACE"},
      {Reason::kAttributeNotWritable, "ATTRIBUTE_NOT_WRITABLE"},
      {Reason::kNotPaused, "NOT_PAUSED"},
      {Reason::kStreamNotFound, "STREAM_NOT_FOUND"},
      {Reason::kStreamKindMismatch, "STREAM_KIND_MISMATCH"},
      {Reason::kStreamFinished, "STREAM_FINISHED"},
      {Reason::kEpochFenced, "EPOCH_FENCED"},
      {Reason::kOffsetGap, "OFFSET_GAP"},
      {Reason::kContentMismatch, "CONTENT_MISMATCH"},
      {Reason::kTotalMismatch, "TOTAL_MISMATCH"},
      {Reason::kBatchRolledBack, "BATCH_ROLLED_BACK"},
      {Reason::kReplaceRefused, "REPLACE_REFUSED"},
      {Reason::kReplaceInProgress, "REPLACE_IN_PROGRESS"},
      {Reason::kDestinationPaused, "DESTINATION_PAUSED"},
      {Reason::kDestinationDeleted, "DESTINATION_DELETED"},
      {Reason::kMappingChanged, "MAPPING_CHANGED"},
      {Reason::kHistoryGone, "CURSOR_EXPIRED"},
      {Reason::kConsumerExpired, "CONSUMER_EXPIRED"},
  };
  return *names;
}

bool IsTold(const std::string& key) {
  return key == "next_offset" || key == "offset" || key == "rows";
}

}  // namespace

std::string TextOf(const absl::Status& status) {
  const auto found = PublicNames().find(storage::ReasonOf(status));
  std::string text =
      absl::StrCat(absl::StatusCodeToString(status.code()), " ",
                   found == PublicNames().end() ? std::string(status.message()) : found->second);
  for (const auto& [key, value] : storage::MetadataOf(status)) {
    if (IsTold(key)) absl::StrAppend(&text, " ", key, "=", value);
  }
  return text;
}

RowAnswer AnswerOf(const storage::RowResult& row) {
  RowAnswer answer;
  answer.offset = row.offset;
  answer.key = row.record_key;
  answer.outcome = kOutcomeNames[static_cast<int>(row.outcome)];
  answer.reason = kReasonNames[static_cast<int>(row.reason)];
  answer.field = row.field;
  answer.stale = {row.stale_fields.begin(), row.stale_fields.end()};
  answer.out_of_scope = {row.out_of_scope_fields.begin(), row.out_of_scope_fields.end()};
  answer.created = row.profile_created;
  answer.membership = row.membership_changed;
  answer.attributes = row.attributes_changed;
  answer.unknown = row.profile_unknown;
  return answer;
}

Ack AckOf(const storage::WriteAck& ack) {
  Ack told;
  told.next = ack.next_offset;
  told.received = ack.received;
  told.known = ack.already_known;
  told.unverified = ack.overlap_unverified;
  told.repeated = ack.repeated_request;
  told.token = ack.source_token;
  for (int i = 0; i < storage::kOutcomes; ++i) {
    if (ack.counts.rows[i] != 0) told.counts[kOutcomeNames[i]] = ack.counts.rows[i];
  }
  for (const storage::RowResult& row : ack.rows) told.rows.push_back(AnswerOf(row));
  return told;
}

StoreSystem::StoreSystem(const TimeText& times, std::string directory, Plant plant)
    : times_(times), directory_(std::move(directory)), planted_(plant) {
  now_us_ = times.base_us;
  data_ = directory_ + "/data";
  std::filesystem::create_directories(directory_);
  OpenStore();
}

StoreSystem::~StoreSystem() {
  instance_.reset();
  store_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void StoreSystem::OpenStore(const storage::Retention& retention) {
  instance_.reset();
  store_.reset();
  storage::StoreOptions options;
  options.directory = data_;
  options.backup_directory = directory_ + "/backups";
  options.erasure_journal = directory_ + "/erasures";
  options.store_keys = std::make_shared<storage::SampleKeys>(std::vector<uint32_t>{7});
  options.retention = retention;
  options.readers_per_file = 1;
  options.cache_bytes_per_writer = int64_t{2} << 20;
  options.clock = [this] { return absl::FromUnixMicros(now_us_.load()); };
  auto store = storage::OpenStore(options);
  if (!store.ok()) throw std::runtime_error(store.status().ToString());
  store_ = *std::move(store);
  auto instance = store_->OpenInstance("default");
  if (!instance.ok()) throw std::runtime_error(instance.status().ToString());
  instance_ = *std::move(instance);
  Settle();
}

// What is past its time goes in the background, beginning when the store is opened. A write beside
// it would share its transaction, and its time.
void StoreSystem::Settle() {
  const absl::Status settled = instance_->WaitForBackground({});
  if (!settled.ok()) throw std::runtime_error(settled.ToString());
}

storage::CommitPosition StoreSystem::OpenForTheClock(const std::string& stream,
                                                     storage::StreamKind kind) {
  storage::OpenStream open;
  open.stream = stream;
  open.kind = kind;
  open.target = "the-clock";
  const auto opened = instance().streams().Open(open);
  if (!opened.ok()) throw std::runtime_error(opened.status().ToString());
  return opened->position;
}

// Commits that are made in the background carry the time before the jump at the latest, and
// stagings that are too old afterwards are gone when it returns.
storage::CommitPosition StoreSystem::PassTime(int64_t by_us) {
  OpenForTheClock("the-clock", storage::StreamKind::kSyncProfiles);
  const auto position = OpenForTheClock("the-clock-of-logs", storage::StreamKind::kAppendLogs);
  now_us_ += by_us;
  storage::Audience audience;
  audience.id = "the-clock";
  (void)instance().audiences().CreateAudience(audience, {});
  storage::OpenStream replace;
  replace.stream = "the-clock-replaces";
  replace.kind = storage::StreamKind::kReplaceMembers;
  replace.target = "the-clock";
  replace.replace = storage::ReplaceOptions{"the-clock", std::nullopt, std::nullopt};
  (void)instance().streams().Open(replace);
  for (const char* stream : {"the-clock", "the-clock-of-logs", "the-clock-replaces"}) {
    (void)instance().streams().DeleteStream(stream);
  }
  (void)instance().audiences().DeleteAudience("the-clock", {}, {});
  return position;
}

std::string StoreSystem::Jump(const Operation& op) {
  PassTime(op.jump_us);
  if (op.altered) Reopen();
  return "OK";
}

void StoreSystem::Reopen() {
  sessions_.clear();
  OpenStore();
  PassTime(0);
}

std::string StoreSystem::Restart(const Operation&) {
  Reopen();
  return "OK";
}

std::string StoreSystem::Backup() {
  PassTime(0);
  const std::string name = absl::StrCat("set", ++backups_);
  const auto started = store_->StartBackup({name, ""}, [] {});
  if (!started.ok()) return TextOf(started.status());
  while (!(*started)->ended()) absl::SleepFor(absl::Microseconds(200));
  const auto summary = (*started)->result();
  if (!summary.ok()) return TextOf(summary.status());
  saved_names_ = names_;
  return "OK";
}

// Into another directory, and goes on there.
std::string StoreSystem::Restore() {
  sessions_.clear();
  notes_.clear();
  instance_.reset();
  store_.reset();
  const std::string before = data_;
  data_ = absl::StrCat(directory_, "/data", now_us_.load());
  const auto restored =
      storage::RestoreStore({absl::StrCat(directory_, "/backups/set", backups_), data_, false,
                             [this] { return absl::FromUnixMicros(now_us_.load()); }});
  if (!restored.ok()) return TextOf(restored.status());
  std::filesystem::remove_all(before);
  // Whoever is erased anew still has all of their log rows, whichever of the two is faster.
  storage::Retention keeping;
  keeping.logs = absl::Hours(24 * 365 * 100);
  OpenStore(keeping);
  names_ = saved_names_;
  // Restores count by the clock: until it is past the latest of them, epochs may be what they were.
  if (now_us_ <= restored_us_) epochs_.clear();
  restored_us_ = std::max(restored_us_, now_us_.load());
  // Once more, when the log of then is followed to its end.
  storage::ReadContext context;
  context.deadline = absl::Now() + absl::Seconds(60);
  const absl::Status followed = instance().WaitFor(PassTime(0), context);
  if (!followed.ok()) throw std::runtime_error(followed.ToString());
  Reopen();
  return "OK";
}

}  // namespace passerelle::model
