// How a server starts, and how it ends.
#include <sys/stat.h>

#include "storage/open.h"
#include "tests/server/scripted_server.h"

namespace passerelle {
namespace {

TEST_F(RunningServer, WhileDrainingHealthSaysSoOpenCallsGoOnAndNewOnesAreRefused) {
  Start();
  EXPECT_EQ(Health("passerelle.v1.InstanceService"), 1);
  EXPECT_EQ(Health(""), 1);
  EXPECT_EQ(Health("passerelle.v1.Nothing"), -grpc::StatusCode::NOT_FOUND);
  auto open = std::async(std::launch::async, [&] { return Call("block"); });
  AwaitWaiting(1);
  auto shutdown =
      std::async(std::launch::async, [&] { return server_->Shutdown(absl::Seconds(30)); });
  while (!server_->door().draining()) std::this_thread::yield();
  EXPECT_EQ(Health("passerelle.v1.InstanceService"), 2);
  EXPECT_EQ(Health(""), 2);
  grpc::ClientContext context;
  v1::Instance response;
  const grpc::Status refused = stub_->GetInstance(&context, v1::GetInstanceRequest(), &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(InfoOf(refused).reason(), "SERVER_DRAINING");
  service_->release.set_value();
  EXPECT_TRUE(open.get().ok());
  EXPECT_TRUE(shutdown.get().ok());
}

TEST_F(RunningServer, AfterTheGraceOpenCallsEndAsDrained) {
  Start();
  auto open = std::async(std::launch::async, [&] { return Call("wait"); });
  AwaitWaiting(1);
  EXPECT_TRUE(server_->Shutdown(absl::Milliseconds(50)).ok());
  const grpc::Status status = open.get();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(InfoOf(status).reason(), "SERVER_DRAINING");
}

TEST_F(RunningServer, ASecondSignalEndsTheGrace) {
  Start();
  auto open = std::async(std::launch::async, [&] { return Call("wait"); });
  AwaitWaiting(1);
  const absl::Time start = absl::Now();
  auto shutdown = std::async(std::launch::async, [&] { return server_->Shutdown(absl::Hours(1)); });
  while (!server_->door().draining()) std::this_thread::yield();
  server_->Hurry();
  EXPECT_TRUE(shutdown.get().ok());
  EXPECT_LT(absl::Now() - start, absl::Minutes(1));
  EXPECT_EQ(open.get().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(RunningServer, AUnixSocketWorks) {
  options_.listen = "unix:" + (folder_ / "s.sock").string();
  Start();
  EXPECT_EQ(server_->address(), options_.listen);
  EXPECT_TRUE(Call("x").ok());
  server_.reset();
  EXPECT_NE(log_.find("\"peer\":\"unix\""), std::string::npos);
}

TEST_F(RunningServer, AnAddressInUseAndAnOpenKeyFileAreRefusedByName) {
  Start();
  Options second = options_;
  second.listen = server_->address();
  const absl::Status taken = PasserelleServer::Start(second, hooks_).status();
  EXPECT_NE(std::string(taken.message()).find(second.listen), std::string::npos) << taken;
  ::chmod(options_.EffectiveKeyFile().c_str(), 0644);
  const absl::Status open = PasserelleServer::Start(options_, hooks_).status();
  EXPECT_NE(std::string(open.message()).find("wanted 0600"), std::string::npos) << open;
}

TEST_F(RunningServer, AStoreThatDoesNotOpenIsTheAnswerOfStart) {
  hooks_.open_store = [](const storage::StoreOptions&) {
    return absl::StatusOr<std::unique_ptr<storage::Store>>(
        absl::FailedPreconditionError("data: another server"));
  };
  EXPECT_EQ(PasserelleServer::Start(options_, hooks_).status().message(), "data: another server");
}

TEST_F(RunningServer, TheStoreIsOpenedWithTheSettings) {
  storage::StoreOptions opened;
  hooks_.open_store = [&](const storage::StoreOptions& store) {
    opened = store;
    return std::unique_ptr<storage::Store>();
  };
  options_.backup_directory = (folder_ / "backups").string();
  options_.readers = 3;
  options_.transaction_rows = 1'001;
  options_.write_queue_rows = 1'002;
  options_.write_queue_bytes = 1'048'577;
  options_.max_streams = 1'003;
  options_.wal_threshold_bytes = 1'048'578;
  options_.disk_low_bytes = 1'048'579;
  options_.disk_reserve_bytes = 1'048'576;
  options_.housekeeping_seconds = 7;
  Start();
  EXPECT_EQ(opened.directory, options_.data);
  EXPECT_EQ(opened.backup_directory, options_.backup_directory);
  EXPECT_EQ(opened.readers_per_file, 3);
  EXPECT_EQ(opened.transaction_rows, 1'001);
  EXPECT_EQ(opened.queue_rows, 1'002);
  EXPECT_EQ(opened.queue_bytes, 1'048'577);
  EXPECT_EQ(opened.max_streams, 1'003);
  EXPECT_EQ(opened.wal_threshold_bytes, 1'048'578);
  EXPECT_EQ(opened.disk.low_bytes, 1'048'579);
  EXPECT_EQ(opened.disk.reserve_bytes, 1'048'576);
  EXPECT_EQ(opened.housekeeping_period, absl::Seconds(7));
  EXPECT_EQ(opened.erasure_journal, options_.data + ".erasures");
  EXPECT_FALSE(opened.without_erasure_journal);
  EXPECT_EQ(log_.find("no_erasure_journal"), std::string::npos) << log_;
}

TEST_F(RunningServer, AStartWithoutTheErasureJournalIsSaidInTheLog) {
  storage::StoreOptions opened;
  hooks_.open_store = [&](const storage::StoreOptions& store) {
    opened = store;
    return std::unique_ptr<storage::Store>();
  };
  options_.erasure_journal = (folder_ / "elsewhere").string();
  options_.no_erasure_journal = true;
  Start();
  EXPECT_EQ(opened.erasure_journal, options_.erasure_journal);
  EXPECT_TRUE(opened.without_erasure_journal);
  EXPECT_NE(log_.find("\"no_erasure_journal\""), std::string::npos) << log_;
  EXPECT_NE(log_.find(options_.erasure_journal), std::string::npos) << log_;
}

TEST_F(RunningServer, TroubleWithPrivacyRequestsIsSaidInTheLogAndItsEndToo) {
  storage::StoreOptions opened;
  hooks_.open_store = [&](const storage::StoreOptions& store) {
    opened = store;
    return std::unique_ptr<storage::Store>();
  };
  Start();
  opened.on_privacy_behind("default", absl::DataLossError("the journal is shorter"));
  EXPECT_NE(log_.find("\"privacy_behind\""), std::string::npos) << log_;
  EXPECT_NE(log_.find("the journal is shorter"), std::string::npos) << log_;
  EXPECT_EQ(log_.find("\"privacy_goes_on\""), std::string::npos) << log_;
  opened.on_privacy_behind("default", absl::OkStatus());
  EXPECT_NE(log_.find("\"privacy_goes_on\""), std::string::npos) << log_;
}

}  // namespace
}  // namespace passerelle
