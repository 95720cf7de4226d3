#include "passerelle/export.h"

#include <gtest/gtest.h>

#include <thread>

#include "absl/time/clock.h"
#include "passerelle/v1/source_service.grpc.pb.h"
#include "tests/client/running_server.h"

namespace passerelle::client {
namespace {

constexpr char kInstance[] = "instances/default";
constexpr char kSource[] = "instances/default/sources/rare";

// A source of delivery "rare", and a log in which there may be rows of "often" only.
class ExportTest : public RunningServer {
 protected:
  void SetUp() override {
    options_.heartbeat_ms = 100;
    RunningServer::SetUp();
    for (const char* id : {"rare", "often"}) {
      v1::CreateDeliveryRequest delivery;
      delivery.set_parent(kInstance);
      delivery.set_delivery_id(id);
      delivery.mutable_delivery()->set_channel("email");
      ASSERT_TRUE(client_->Call(&v1::LogService::Stub::CreateDelivery, delivery).ok());
    }
    v1::CreateSourceRequest source;
    source.set_parent(kInstance);
    source.set_source_id("rare");
    source.mutable_source()->set_schema(v1::LOG_KIND_DELIVERY);
    source.mutable_source()->add_deliveries("rare");
    ASSERT_TRUE(client_->Call(&v1::SourceService::Stub::CreateSource, source).ok());
  }

  void Append(const std::string& delivery, int64_t id) {
    v1::BatchAppendLogsRequest request;
    request.set_parent(kInstance);
    v1::LogEntry* row = request.add_rows();
    row->set_kind(v1::LOG_KIND_DELIVERY);
    row->set_delivery(delivery);
    row->set_broadlog_id(id);
    row->set_status(v1::DELIVERY_STATUS_SENT);
    const auto appended = client_->Call(&v1::LogService::Stub::BatchAppendLogs, request);
    ASSERT_TRUE(appended.ok()) << appended.status();
  }

  static v1::ExportLogsRequest ByConsumer() {
    v1::ExportLogsRequest request;
    request.set_name(kSource);
    request.set_consumer("default");
    return request;
  }
  LogExportResult Export(const v1::ExportLogsRequest& request, ExportOptions options) {
    return ExportLogs(
        *client_, request, [](const v1::ExportLogsResponse&) { return absl::OkStatus(); }, options);
  }
  static ExportOptions Acknowledging() {
    ExportOptions options;
    options.acknowledge = true;
    return options;
  }
  v1::Consumer GetConsumer() {
    v1::GetConsumerRequest request;
    request.set_name(std::string(kSource) + "/consumers/default");
    const auto consumer = client_->Call(&v1::SourceService::Stub::GetConsumer, request);
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    return consumer.ok() ? *consumer : v1::Consumer();
  }
};

TEST_F(ExportTest, AConsumerWhoseRowsAreRareIsUpToDateAfterAnExportWithoutRows) {
  for (int64_t id = 1; id <= 3; ++id) Append("often", id);
  ASSERT_GT(GetConsumer().lag(), 0);
  const LogExportResult result = Export(ByConsumer(), Acknowledging());
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.rows, 0);
  EXPECT_EQ(GetConsumer().lag(), 0);
  EXPECT_EQ(GetConsumer().acknowledged_sequence(), result.sequence);
}

TEST_F(ExportTest, WithoutAcknowledgingNothingMovesTheConsumer) {
  Append("often", 1);
  ASSERT_TRUE(Export(ByConsumer(), {}).status.ok());
  EXPECT_GT(GetConsumer().lag(), 0);
  EXPECT_EQ(GetConsumer().state(), v1::Consumer::STATE_UNUSED);
}

TEST_F(ExportTest, HeartbeatsOfAFollowingExportAreAcknowledgedWhereTheyMoved) {
  Append("rare", 1);
  StopSignal stop;
  ExportOptions options = Acknowledging();
  options.stop = &stop;
  v1::ExportLogsRequest follow = ByConsumer();
  follow.set_follow(true);
  LogExportResult result;
  std::thread exporting([&] { result = Export(follow, options); });
  Append("often", 2);
  Append("often", 3);
  for (int i = 0; i < 200 && GetConsumer().lag() > 0; ++i) absl::SleepFor(absl::Milliseconds(50));
  EXPECT_EQ(GetConsumer().lag(), 0);
  const auto told = GetConsumer().acknowledge_time();
  absl::SleepFor(4 * absl::Milliseconds(options_.heartbeat_ms));
  EXPECT_EQ(GetConsumer().acknowledge_time().SerializeAsString(), told.SerializeAsString());
  stop.Stop();
  exporting.join();
  EXPECT_EQ(result.rows, 1);
}

TEST_F(ExportTest, ACursorThatTheCallerKeptIsAcknowledgedThoughNothingFollows) {
  Append("rare", 1);
  const LogExportResult read = Export(ByConsumer(), {});
  ASSERT_EQ(read.rows, 1);
  v1::ExportLogsRequest rest = ByConsumer();
  rest.set_cursor(read.cursor);
  ASSERT_EQ(Export(rest, Acknowledging()).rows, 0);
  EXPECT_EQ(GetConsumer().lag(), 0);
}

}  // namespace
}  // namespace passerelle::client
