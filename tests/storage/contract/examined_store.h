// A store with something of every flow in it, and short words for examining it live and stopped.
#ifndef PASSERELLE_TESTS_STORAGE_CONTRACT_EXAMINED_STORE_H_
#define PASSERELLE_TESTS_STORAGE_CONTRACT_EXAMINED_STORE_H_

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/examination.h"
#include "tests/storage/contract/audience_fixture.h"

namespace passerelle::storage {

inline std::string Lines(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    text += finding.file + ": " + finding.check + ": " + finding.what + "\n";
  }
  return text;
}

class ExaminedStoreBase : public AudienceContractBase {
 protected:
  // SHA-256 of "ada@example.com".
  static constexpr const char* kHashOfAda =
      "b5fc85e55755f9e0d030a10ab4429b6b2944855f9a0d60077fe832becbc41d72";

  void SetUp() override {
    AudienceContractBase::SetUp();
    if (HasFatalFailure()) return;
    FillProfiles();
    FillAudiences();
    FillLogs();
  }

  // The findings that are more than notes.
  static std::vector<Finding> Run(absl::StatusOr<std::unique_ptr<Examination>> examination) {
    EXPECT_TRUE(examination.ok()) << examination.status();
    std::vector<Finding> all;
    absl::StatusOr<bool> more = examination.ok();
    while (more.ok() && *more) more = (*examination)->Step({}, all);
    EXPECT_TRUE(more.ok()) << more.status();
    std::vector<Finding> told;
    for (Finding& finding : all) {
      EXPECT_FALSE(finding.what.empty() || finding.advice.empty()) << finding.check;
      if (finding.severity != Severity::kNote) told.push_back(std::move(finding));
    }
    return told;
  }
  std::vector<Finding> ExamineLive() { return Run(store().Examine("")); }
  std::vector<Finding> ExamineStopped() { return Run(ExamineStoppedStore({directory_.path(), 0})); }

  void Stop() {
    instance_.reset();
    store_.reset();
  }

  absl::StatusOr<WriteAck> ImportStream(const std::string& stream, int64_t epoch, int64_t offset,
                                        int count) {
    Records records({FieldFor(city)});
    for (int i = 0; i < count; ++i) {
      records.Add({{external, stream + std::to_string(offset + i)}}, {Text("Lyon")});
      records.Last().content_hash = static_cast<uint32_t>(offset + i + 1);
      if (i % 5 == 4) records.Last().refusal = Refusal{RowReason::kMalformedEmail, "mail"};
    }
    WriteOptions options;
    options.position = StreamPosition{stream, epoch, offset, "token"};
    return Import(std::move(records), std::move(options));
  }
  StreamState OpenStreamOf(const std::string& stream, StreamKind kind) {
    OpenStream open;
    open.stream = stream;
    open.kind = kind;
    const auto opened = instance().streams().Open(open);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? opened->value : StreamState{};
  }

  // A sent message, a click on it, an opt-out of profile "1".
  absl::StatusOr<WriteAck> AppendMessage(int64_t broadlog_id, WriteOptions options = {}) {
    auto texts = std::make_shared<std::deque<std::string>>(1, "1");
    AppendBatch append;
    append.keepalive = texts;
    append.options = std::move(options);
    for (int row = 0; row < 3; ++row) {
      LogRecord record;
      record.content_hash = static_cast<uint32_t>(broadlog_id * 3 + row);
      record.row.kind = row == 0 ? LogKind::kDelivery : LogKind::kTracking;
      record.row.delivery = "summer";
      record.row.broadlog_id = broadlog_id;
      record.row.status = row == 0 ? kStatusSent : 0;
      record.row.tracking_kind = row == 0 ? 0 : row == 1 ? kTrackingClick : kTrackingOptOut;
      record.row.tracking_log_id = row == 0 ? 0 : broadlog_id * 3 + row;
      record.row.event_us = now_us() - 1'000'000;
      record.row.identity_namespace = "external_id";
      record.row.identity_ns = external;
      record.row.identity = texts->front();
      append.rows.push_back(std::move(record));
    }
    return Await<WriteAck>(
        [&](Done<WriteAck>& done) { return instance().logs().SubmitAppend(append, done); });
  }

 private:
  void FillProfiles() {
    Records records({FieldFor(city), FieldFor(email_ok)});
    records.Add({{external, "ada"}, {email, "ada@example.com"}, {email_hash, kHashOfAda, true}},
                {Text("Paris"), Int(1)}, now_us());
    records.Add({{ecid, "device-1"}});
    ASSERT_TRUE(Import(std::move(records)).ok());
    const StreamState people = OpenStreamOf("people", StreamKind::kImportProfiles);
    ASSERT_TRUE(ImportStream("people", people.epoch, 0, 10).ok());
    ASSERT_TRUE(ImportStream("people", people.epoch, 10, 10).ok());
    DeleteProfile("people3");
    Destination mapped;
    mapped.id = "mapped";
    mapped.mappings.push_back({});
    mapped.mappings.back().source_field = "town";
    mapped.mappings.back().attribute = "city";
    ASSERT_TRUE(instance().flows().CreateDestination(mapped, {}).ok());
    ASSERT_TRUE(instance().reach().CreateDenylistEntry({IdOf("8"), "email", "asked", 0}).ok());
  }

  void FillAudiences() {
    Push({{"1"}, {"2"}, {"3"}});
    Push({{"2", false}, {"4"}});
    Replace({{"1"}, {"5"}, {"6"}}, now_us() + 1);
    Push({{"7", true, now_us() + 10}, {"5", false, now_us() + 10}});
    DeleteProfile("6");
    ASSERT_TRUE(Begin(now_us() + 20, "staging").ok());
    Stage({{"1"}, {"2"}});
  }

  void FillLogs() {
    Delivery delivery;
    delivery.id = "summer";
    delivery.channel = "email";
    ASSERT_TRUE(instance().logs().CreateDelivery(delivery, {}).ok());
    Source source;
    source.id = "clicks";
    ASSERT_TRUE(instance().flows().CreateSource(source, {}).ok());
    ASSERT_TRUE(instance().logs().CreateConsumer("clicks", "default", {}, {}).ok());
    const StreamState events = OpenStreamOf("events", StreamKind::kAppendLogs);
    WriteOptions options;
    options.position = StreamPosition{"events", events.epoch, 0, ""};
    const auto ack = AppendMessage(7, std::move(options));
    ASSERT_TRUE(ack.ok()) << ack.status();
    ASSERT_TRUE(AppendMessage(70'000).ok());
    ASSERT_TRUE(instance().logs().Acknowledge("clicks", "default", ack->position.sequence).ok());
    ReadContext context;
    context.deadline = absl::Now() + absl::Seconds(10);
    ASSERT_TRUE(instance().WaitFor(ack->position, context).ok());
  }
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_CONTRACT_EXAMINED_STORE_H_
