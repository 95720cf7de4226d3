// What is past its time, and what those are told who ask for it, over the wire.
#include <algorithm>
#include <mutex>

#include "passerelle/v1/log_service.grpc.pb.h"
#include "passerelle/v1/source_service.grpc.pb.h"
#include "passerelle/v1/stream_service.grpc.pb.h"
#include "server/convert/keys.h"
#include "server/convert/tokens.h"
#include "tests/server/fake_clock.h"
#include "tests/server/services/service_fixture.h"
#include "tests/server/services/wire_stream.h"

namespace passerelle {
namespace {

using Logs = v1::LogService::Stub;
using Sources = v1::SourceService::Stub;
constexpr char kSource[] = "instances/default/sources/out";
constexpr char kConsumer[] = "instances/default/sources/out/consumers/default";
constexpr absl::Duration kDay = absl::Hours(24);

// Log rows are kept for a day, and wait for a consumer for four.
class RetentionTest : public ServiceTest {
 protected:
  void Adjust(Options& options, PasserelleServer::Hooks& hooks) override {
    options.log_retention_days = 1;
    options.duplicate_window_days = 1;
    options.max_pin_days = 4;
    options.stream_retention_days = 4;
    options.housekeeping_seconds = 1;
    hooks.clock = &clock_;
    RedirectLog([this](std::string_view line) {
      const std::lock_guard<std::mutex> lock(mutex_);
      log_.emplace_back(line);
    });
  }
  void SetUp() override {
    ServiceTest::SetUp();
    v1::CreateDeliveryRequest delivery;
    delivery.set_parent(kInstance);
    delivery.set_delivery_id("spring");
    delivery.mutable_delivery()->set_channel("email");
    ASSERT_EQ(Told(Call(&Logs::CreateDelivery, delivery)), "OK");
    CreateSource("out");
  }

  void CreateSource(const std::string& id) {
    v1::CreateSourceRequest request;
    request.set_parent(kInstance);
    request.set_source_id(id);
    request.mutable_source()->set_schema(v1::LOG_KIND_DELIVERY);
    ASSERT_EQ(Told(Call(&Sources::CreateSource, request)), "OK");
  }
  void Append(int first, int last) {
    v1::BatchAppendLogsRequest request;
    request.set_parent(kInstance);
    for (int id = first; id <= last; ++id) {
      v1::LogEntry* row = request.add_rows();
      row->set_kind(v1::LOG_KIND_DELIVERY);
      row->set_delivery("spring");
      row->set_broadlog_id(id);
      row->set_status(v1::DELIVERY_STATUS_SENT);
    }
    ASSERT_EQ(Told(Call(&Logs::BatchAppendLogs, request)), "OK");
  }
  v1::Consumer GetConsumer() {
    v1::GetConsumerRequest request;
    request.set_name(kConsumer);
    return Call(&Sources::GetConsumer, request).value;
  }
  Answer<v1::Consumer> Acknowledge(const std::string& cursor) {
    v1::AcknowledgeRequest request;
    request.set_name(kConsumer);
    request.set_cursor(cursor);
    return Call(&Sources::Acknowledge, request);
  }
  Answer<v1::Consumer> SeekTo(const std::string& cursor) {
    v1::SeekRequest request;
    request.set_name(kConsumer);
    request.set_cursor(cursor);
    return Call(&Sources::Seek, request);
  }
  static v1::ExportLogsRequest BySource() {
    v1::ExportLogsRequest request;
    request.set_name(kSource);
    request.set_max_batch_rows(1);
    return request;
  }
  struct Exported {
    std::vector<int64_t> messages;
    std::vector<std::string> cursors;  // after each row
    grpc::Status status;
  };
  Exported Export(const v1::ExportLogsRequest& request) {
    Logs stub(channel_);
    grpc::ClientContext context;
    const auto stream = stub.ExportLogs(&context, request);
    Exported exported;
    v1::ExportLogsResponse message;
    while (stream->Read(&message)) {
      for (const auto& row : message.rows()) exported.messages.push_back(row.broadlog_id());
      if (message.rows_size() > 0) exported.cursors.push_back(message.cursor());
    }
    exported.status = stream->Finish();
    return exported;
  }
  // Until it is so or a minute is over; the housekeeping looks every second.
  static bool Becomes(const std::function<bool()>& so) {
    for (const absl::Time until = absl::Now() + absl::Seconds(60); absl::Now() < until;) {
      if (so()) return true;
      absl::SleepFor(absl::Milliseconds(50));
    }
    return so();
  }
  int64_t LinesWith(std::string_view text) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::count_if(log_.begin(), log_.end(), [&](const std::string& line) {
      return line.find(text) != std::string::npos;
    });
  }
  static std::string EarliestOf(const grpc::Status& status) {
    const auto info = InfoOf(status);
    const auto found = info.metadata().find("earliest");
    return found == info.metadata().end() ? "" : found->second;
  }

  FakeClock clock_{absl::FromUnixSeconds(1'750'000'000)};
  std::mutex mutex_;
  std::vector<std::string> log_;
};

TEST_F(RetentionTest, AStalledConsumerIsReportedExpiresAndGoesOnOnceItIsMoved) {
  Append(1, 3);
  const Exported all = Export(BySource());
  ASSERT_EQ(all.cursors.size(), 3u);
  ASSERT_EQ(Told(Acknowledge(all.cursors[0])), "OK");
  clock_.Advance(absl::Hours(60));
  EXPECT_EQ(GetConsumer().state(), v1::Consumer::STATE_WARNING);
  EXPECT_EQ(GetConsumer().pin_used_percent(), 62);
  EXPECT_EQ(GetConsumer().lag(), 2);
  EXPECT_EQ(GetConsumer().lag_time().seconds(), 60 * 3'600);
  EXPECT_TRUE(GetConsumer().has_expire_time());
  ASSERT_TRUE(Becomes([&] { return LinesWith("\"consumer_behind\"") == 1; }));
  v1::ExportLogsRequest with_consumer = BySource();
  with_consumer.set_consumer("default");
  EXPECT_EQ(Export(with_consumer).messages, (std::vector<int64_t>{2, 3}));
  clock_.Advance(absl::Hours(40));
  ASSERT_TRUE(Becomes([&] { return GetConsumer().state() == v1::Consumer::STATE_EXPIRED; }));
  ASSERT_TRUE(Becomes([&] { return LinesWith("\"consumer_expired\"") == 1; }));
  Append(4, 4);
  const Exported refused = Export(with_consumer);
  EXPECT_EQ(Told(refused.status).find(std::string("CONSUMER_EXPIRED: ") + kConsumer), 0u);
  EXPECT_NE(refused.status.error_message().find("Seek"), std::string::npos);
  v1::ExportLogsRequest with_cursor = with_consumer;
  with_cursor.set_cursor(all.cursors[2]);
  EXPECT_EQ(Told(Export(with_cursor).status).find("CONSUMER_EXPIRED"), 0u);
  const auto late = Acknowledge(all.cursors[1]);
  EXPECT_EQ(ReasonOf(late), "CONSUMER_EXPIRED");
  v1::ExportLogsRequest gone = BySource();
  gone.set_cursor(all.cursors[0]);
  ASSERT_TRUE(Becomes([&] { return Told(Export(gone).status).find("CURSOR_EXPIRED") == 0; }));
  EXPECT_EQ(ReasonOf(SeekTo(all.cursors[0])), "CURSOR_EXPIRED");
  const std::string earliest = EarliestOf(Acknowledge(all.cursors[1]).status);
  const auto moved = SeekTo(earliest);
  ASSERT_TRUE(moved.ok()) << Told(moved);
  EXPECT_EQ(moved->state(), v1::Consumer::STATE_ACTIVE);
  EXPECT_EQ(Export(with_consumer).messages, std::vector<int64_t>{4});
}

TEST_F(RetentionTest, ACursorPastRetentionIsToldTheEarliestOneThatWorks) {
  Append(1, 3);
  const Exported all = Export(BySource());
  ASSERT_EQ(all.cursors.size(), 3u);
  clock_.Advance(2 * kDay);
  Append(4, 4);
  v1::ExportLogsRequest late = BySource();
  late.set_cursor(all.cursors[0]);
  ASSERT_TRUE(Becomes([&] { return Told(Export(late).status).find("CURSOR_EXPIRED") == 0; }));
  const grpc::Status refused = Export(late).status;
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_NE(refused.error_message().find("metadata earliest"), std::string::npos);
  late.set_cursor(EarliestOf(refused));
  const Exported rest = Export(late);
  EXPECT_EQ(Told(rest.status), "OK");
  EXPECT_EQ(rest.messages, std::vector<int64_t>{4});
  EXPECT_EQ(Export(BySource()).messages, std::vector<int64_t>{4});
  const auto unused = Acknowledge(all.cursors[0]);
  EXPECT_EQ(ReasonOf(unused), "CURSOR_EXPIRED");
  EXPECT_EQ(Told(Acknowledge(EarliestOf(unused.status))), "OK");
}

TEST_F(RetentionTest, CursorsOfAnotherSourceOrOfBeforeARestoreSayWhatToDo) {
  Append(1, 1);
  CreateSource("other");
  v1::ExportLogsRequest request = BySource();
  request.set_cursor(Export(request).cursors[0]);
  request.set_name("instances/default/sources/other");
  const grpc::Status foreign = Export(request).status;
  EXPECT_EQ(Told(foreign).find("CURSOR_MISMATCH"), 0u);
  EXPECT_NE(foreign.error_message().find("one of this source"), std::string::npos);
  auto keys = KeyRing::OpenOrCreate((folder_ / "data.key").string());
  ASSERT_TRUE(keys.ok()) << keys.status();
  const TokenCodec codec(*keys);
  ExportCursor cursor;
  ASSERT_EQ(codec.Decode(request.cursor(), &cursor), TokenProblem::kOk);
  ++cursor.epoch;
  request.set_name(kSource);
  request.set_cursor(codec.Encode(cursor));
  const grpc::Status restored = Export(request).status;
  EXPECT_EQ(Told(restored).find("STORE_RESTORED"), 0u) << Told(restored);
  EXPECT_NE(restored.error_message().find("Seek a consumer"), std::string::npos);
}

TEST_F(RetentionTest, AnIdleStreamExpiresAndIsNotBegunAgainUnawares) {
  using AppendStream = WireStream<Logs, v1::AppendLogsRequest, v1::AppendLogsResponse>;
  v1::AppendLogsRequest open;
  open.mutable_open()->set_parent(kInstance);
  open.mutable_open()->mutable_stream()->set_stream("nightly");
  ASSERT_TRUE(AppendStream(channel_, &Logs::AppendLogs).Open(open));
  clock_.Advance(5 * kDay);
  v1::GetWriteStreamRequest get;
  get.set_name("instances/default/writeStreams/nightly");
  const auto expired = [&] {
    return Call(&v1::StreamService::Stub::GetWriteStream, get)->has_expire_time();
  };
  ASSERT_TRUE(Becomes(expired));
  EXPECT_GE(LinesWith("\"retention_behind\""), 1) << "a day per round";
  AppendStream again(channel_, &Logs::AppendLogs);
  EXPECT_FALSE(again.Open(open));
  EXPECT_EQ(Told(again.End()).find("STREAM_NOT_FOUND"), 0u);
  v1::DeleteWriteStreamRequest remove;
  remove.set_name(get.name());
  EXPECT_EQ(Told(Call(&v1::StreamService::Stub::DeleteWriteStream, remove)), "OK");
  AppendStream fresh(channel_, &Logs::AppendLogs);
  EXPECT_TRUE(fresh.Open(open));
  EXPECT_EQ(fresh.opened().next_offset(), 0);
}

class ReconcileTest : public RetentionTest {
 protected:
  v1::ReconcileRequest Of(const std::string& name, const std::string& cursor = "") const {
    v1::ReconcileRequest request;
    request.set_name(name);
    request.set_cursor(cursor);
    request.mutable_start_time()->set_seconds(1'750'000'000);
    request.mutable_granularity()->set_seconds(3'600);
    return request;
  }
  // "3=1+0+2 2=0+0+2 / 5=1+0+4": each window, and the total.
  std::string CountsOfWindows(const v1::ReconcileRequest& request) {
    const auto answer = Call(&Sources::Reconcile, request);
    if (!answer.ok()) return Told(answer);
    const auto text = [](const v1::ReconcileResponse::Window& w) {
      return std::to_string(w.appended()) + "=" + std::to_string(w.exported()) + "+" +
             std::to_string(w.skipped()) + "+" + std::to_string(w.pending());
    };
    std::string told;
    for (const auto& window : answer->windows()) told += text(window) + " ";
    return told + "/ " + text(answer->total());
  }
};

TEST_F(ReconcileTest, AConsumerASourceAndAnInstanceAreReconciledByWindows) {
  Append(1, 3);
  clock_.Advance(absl::Hours(1));
  Append(4, 5);
  EXPECT_EQ(CountsOfWindows(Of(kConsumer)), "3=0+0+3 2=0+0+2 / 5=0+0+5");
  const Exported all = Export(BySource());
  ASSERT_EQ(Told(Acknowledge(all.cursors[0])), "OK");
  ASSERT_EQ(Told(SeekTo(all.cursors[2])), "OK");
  ASSERT_EQ(Told(Acknowledge(all.cursors[3])), "OK");
  EXPECT_EQ(CountsOfWindows(Of(kConsumer)), "3=1+2+0 2=1+0+1 / 5=2+2+1");
  EXPECT_EQ(CountsOfWindows(Of(kSource, all.cursors[3])), "3=3+0+0 2=1+0+1 / 5=4+0+1");
  EXPECT_EQ(CountsOfWindows(Of(kInstance)), "3=0+0+3 2=0+0+2 / 5=0+0+5");
}

TEST_F(ReconcileTest, WhatIsAskedForIsChecked) {
  v1::ReconcileRequest request = Of(kConsumer);
  request.clear_start_time();
  EXPECT_EQ(CountsOfWindows(request), "FIELD_REQUIRED: start_time: is required");
  request = Of(kConsumer);
  request.mutable_filter()->add_deliveries("spring");
  EXPECT_EQ(CountsOfWindows(request).find("FIELD_INVALID: filter"), 0u);
  EXPECT_EQ(CountsOfWindows(Of(kConsumer, "x")).find("FIELD_INVALID: cursor"), 0u);
  EXPECT_EQ(CountsOfWindows(Of(kSource, "x")).find("CURSOR_INVALID"), 0u);
  EXPECT_EQ(CountsOfWindows(Of(std::string(kSource) + "/consumers/none")).find("RESOURCE_NOT"), 0u);
  request = Of(kConsumer);
  request.mutable_end_time()->set_seconds(1'750'000'000);
  EXPECT_EQ(CountsOfWindows(request).find("FIELD_INVALID: end_time"), 0u);
  request.mutable_end_time()->set_seconds(1'750'000'000 + 36'000'001);
  EXPECT_EQ(CountsOfWindows(request),
            "FIELD_INVALID: granularity: makes 10001 windows, limit 10000");
}

}  // namespace
}  // namespace passerelle
