// The three flows through the C++ client, against a fresh server:
//   passerelled --data DIR --listen 127.0.0.1:7701 &
//   example_three_flows 127.0.0.1:7701
// Run it again: nothing is doubled.
#include <iostream>

#include "passerelle/client.h"
#include "passerelle/error.h"
#include "passerelle/export.h"
#include "passerelle/ingest.h"

namespace pc = passerelle::client;
namespace v1 = passerelle::v1;

namespace {

constexpr char kInstance[] = "instances/default";

bool Told(const std::string& what, const absl::Status& status) {
  const bool there = pc::ReasonOf(status) == v1::ERROR_REASON_RESOURCE_ALREADY_EXISTS;
  std::cout << what << ": "
            << (status.ok() ? "done"
                : there     ? "there already"
                            : status.ToString())
            << "\n";
  return status.ok() || there;
}

bool Told(const std::string& what, const pc::IngestResult& result) {
  std::cout << what << ": " << result.received << " received, " << result.already_known
            << " known before";
  for (const auto& [outcome, rows] : result.totals) {
    std::cout << ", " << v1::Outcome_Name(outcome) << " " << rows;
  }
  std::cout << "\n";
  return result.status.ok() || Told(what, result.status);
}

bool MakeSchema(pc::Client& client) {
  v1::CreateAttributeRequest attribute;
  attribute.set_parent(kInstance);
  attribute.set_attribute_id("city");
  attribute.mutable_attribute()->set_type(v1::ATTRIBUTE_TYPE_STRING);
  v1::CreateDestinationRequest destination;
  destination.set_parent(kInstance);
  destination.set_destination_id("cdp");
  destination.mutable_destination()->set_sync_type(v1::Destination::SYNC_TYPE_AUDIENCE_SYNC);
  destination.mutable_destination()->add_audiences()->set_source_id("walkers");
  v1::CreateDestinationRequest sync = destination;
  sync.set_destination_id("cdp-attributes");
  sync.mutable_destination()->set_sync_type(v1::Destination::SYNC_TYPE_PROFILE_SYNC);
  auto* mapping = sync.mutable_destination()->add_mappings();
  mapping->set_source_field("town");
  mapping->set_attribute("city");
  using Instances = v1::InstanceService::Stub;
  using Destinations = v1::DestinationService::Stub;
  return Told("attribute city", client.Call(&Instances::CreateAttribute, attribute).status()) &&
         Told("destination cdp",
              client.Call(&Destinations::CreateDestination, destination).status()) &&
         Told("destination cdp-attributes",
              client.Call(&Destinations::CreateDestination, sync).status());
}

std::vector<pc::Row> People(int count, const char* city) {
  std::vector<pc::Row> rows(count);
  for (int i = 0; i < count; ++i) {
    rows[i].identities = {std::to_string(i + 1)};
    if (city != nullptr) rows[i].fields = {std::string(city)};
  }
  return rows;
}

bool FillProfiles(pc::Client& client) {
  v1::ImportProfilesRequest::Open open;
  open.set_parent(kInstance);
  open.mutable_stream()->set_stream("example-people");
  open.add_identity_namespaces("external_id");
  open.add_fields("city");
  pc::VectorSource<pc::Row> people(People(1'000, "Lyon"));
  return Told("1,000 people imported", pc::ImportProfiles(client, open, people));
}

bool ActivateAudience(pc::Client& client) {
  v1::PushMembersRequest::Open open;
  open.set_destination(std::string(kInstance) + "/destinations/cdp");
  open.mutable_stream()->set_stream("example-walkers");
  open.add_identity_namespaces("external_id");
  open.add_audiences("walkers");
  pc::VectorSource<pc::Row> walkers(People(300, nullptr));
  return Told("300 walkers pushed", pc::PushMembers(client, open, walkers));
}

bool SyncProfiles(pc::Client& client) {
  v1::SyncProfilesRequest::Open open;
  open.set_destination(std::string(kInstance) + "/destinations/cdp-attributes");
  open.mutable_stream()->set_stream("example-towns");
  open.add_identity_namespaces("external_id");
  open.add_fields("town");
  pc::VectorSource<pc::Row> towns(People(400, "Paris"));
  return Told("400 towns synced, 300 in scope", pc::SyncProfiles(client, open, towns));
}

bool SendLogsBack(pc::Client& client) {
  v1::CreateDeliveryRequest delivery;
  delivery.set_parent(kInstance);
  delivery.set_delivery_id("spring");
  delivery.mutable_delivery()->set_channel("email");
  delivery.mutable_delivery()->add_audiences("walkers");
  if (!Told("delivery spring",
            client.Call(&v1::LogService::Stub::CreateDelivery, delivery).status())) {
    return false;
  }
  std::vector<v1::RawLogEntry> rows(300);
  for (int i = 0; i < 300; ++i) {
    rows[i].set_kind(v1::LOG_KIND_DELIVERY);
    rows[i].set_delivery("spring");
    rows[i].set_broadlog_id(i + 1);
    rows[i].set_status(v1::DELIVERY_STATUS_SENT);
  }
  pc::VectorSource<v1::RawLogEntry> source(std::move(rows));
  v1::AppendLogsRequest::Open open;
  open.set_parent(kInstance);
  open.mutable_stream()->set_stream("example-sent");
  if (!Told("300 log rows appended", pc::AppendLogs(client, open, source))) return false;
  v1::ExportLogsRequest request;
  request.set_name(kInstance);
  auto exported = pc::ExportLogs(client, request,
                                 [](const v1::ExportLogsResponse&) { return absl::OkStatus(); });
  std::cout << exported.rows << " log rows exported, up to sequence " << exported.sequence << "\n";
  return exported.status.ok();
}

}  // namespace

int main(int argc, char** argv) {
  auto client = pc::Client::Connect(argc > 1 ? argv[1] : pc::kDefaultTarget);
  if (!client.ok()) {
    Told("connect", client.status());
    return 1;
  }
  const bool done = MakeSchema(**client) && FillProfiles(**client) && ActivateAudience(**client) &&
                    SyncProfiles(**client) && SendLogsBack(**client);
  return done ? 0 : 1;
}
