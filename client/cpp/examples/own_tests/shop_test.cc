// Tests of a program that sends its customers to Passerelle.
#include <gtest/gtest.h>

#include <vector>

#include "passerelle/client.h"
#include "passerelle/error.h"
#include "passerelle/ingest.h"
#include "passerelle/testing/server.h"

namespace pc = passerelle::client;
namespace v1 = passerelle::v1;

namespace {

// What the shop's own program does: `customers` are its numbers of them.
pc::IngestResult SendCustomers(pc::Client& client, const std::vector<std::string>& customers) {
  v1::ImportProfilesRequest::Open open;
  open.set_parent("instances/default");
  open.mutable_stream()->set_stream("customers");
  open.add_identity_namespaces("external_id");
  std::vector<pc::Row> rows;
  for (const std::string& number : customers) rows.push_back({{number}, {}});
  pc::VectorSource<pc::Row> source(rows);
  return pc::ImportProfiles(client, open, source);
}

class Shop : public testing::Test {
 protected:
  void SetUp() override {
    auto server = passerelle::testing::Server::Start();
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    auto client = server_->Connect();
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  std::unique_ptr<passerelle::testing::Server> server_;
  std::unique_ptr<pc::Client> client_;
};

TEST_F(Shop, SendsItsCustomers) {
  const pc::IngestResult sent = SendCustomers(*client_, {"1", "2"});
  ASSERT_TRUE(sent.status.ok()) << sent.status;
  EXPECT_EQ(sent.totals.at(v1::OUTCOME_CREATED), 2);
}

TEST_F(Shop, DoublesNothingWhenItSendsThemAgain) {
  ASSERT_TRUE(SendCustomers(*client_, {"1", "2"}).status.ok());
  ASSERT_TRUE(server_->Restart().ok());
  const pc::IngestResult again = SendCustomers(*client_, {"1", "2"});
  ASSERT_TRUE(again.status.ok()) << again.status;
  EXPECT_EQ(again.already_known, 2);
  EXPECT_EQ(again.received, 0);
}

TEST_F(Shop, IsToldOfWhatIsNotThere) {
  v1::GetInstanceRequest get;
  get.set_name("instances/none");
  const auto none = client_->Call(&v1::InstanceService::Stub::GetInstance, get);
  EXPECT_EQ(pc::ReasonOf(none.status()), v1::ERROR_REASON_RESOURCE_NOT_FOUND);
}

}  // namespace
