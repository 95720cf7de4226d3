// The three flows in under a hundred lines, on a fresh server. Run it again: nothing is doubled.
#include <google/protobuf/text_format.h>

#include <iostream>

#include "passerelle/client.h"
#include "passerelle/export.h"
#include "passerelle/ingest.h"
#include "passerelle/schema.h"

namespace pc = passerelle::client;
namespace v1 = passerelle::v1;

void Must(const absl::Status& status) {
  if (status.ok() || absl::IsAlreadyExists(status)) return;
  std::cerr << status << "\n";
  std::exit(1);
}

void Show(const char* what, const pc::IngestResult& result) {
  Must(result.status);
  std::cout << what << ": " << result.received << " received";
  for (auto& [outcome, n] : result.totals) std::cout << ", " << n << " " << Outcome_Name(outcome);
  std::cout << "\n";
}

absl::Status ShowMessage(const google::protobuf::Message& message) {
  std::cout << message.ShortDebugString() << "\n";
  return absl::OkStatus();
}

// A message from its text.
template <typename Message>
Message Of(const char* text) {
  Message message;
  if (!google::protobuf::TextFormat::ParseFromString(text, &message)) std::exit(1);
  return message;
}

// Two people with a city, and a consent for e-mail; and whereto audiences and attributes go.
void Prepare(pc::Client& client) {
  auto city = Of<v1::Attribute>("type: ATTRIBUTE_TYPE_STRING");
  auto consent = Of<v1::Attribute>("type: ATTRIBUTE_TYPE_BOOL consent { channel: 'email' }");
  Must(pc::CreateAttribute(client, "instances/default", "city", city).status());
  Must(pc::CreateAttribute(client, "instances/default", "email_opt_in", consent).status());
  auto segments = Of<v1::CreateDestinationRequest>(
      "parent: 'instances/default' destination_id: 'segments' "
      "destination { sync_type: SYNC_TYPE_AUDIENCE_SYNC audiences { source_id: 'VIP' } }");
  auto crm = Of<v1::CreateDestinationRequest>(
      "parent: 'instances/default' destination_id: 'crm' destination { "
      "sync_type: SYNC_TYPE_PROFILE_SYNC mappings { source_field: 'town' attribute: 'city' } }");
  Must(client.Call(&v1::DestinationService::Stub::CreateDestination, segments).status());
  Must(client.Call(&v1::DestinationService::Stub::CreateDestination, crm).status());
  auto open = Of<v1::ImportProfilesRequest::Open>(
      "parent: 'instances/default' stream { stream: 'people' } "
      "identity_namespaces: 'external_id' fields: 'city'");
  pc::VectorSource<pc::Row> people({pc::Row{{"1"}, {"Paris"}}, pc::Row{{"2"}, {"Paris"}}});
  Show("imported", pc::ImportProfiles(client, open, people));
}

// 1. The CDP pushes an audience; the campaign side streams its members.
void AudienceIn(pc::Client& client) {
  auto open = Of<v1::PushMembersRequest::Open>(
      "destination: 'instances/default/destinations/segments' stream { stream: 'vip' } "
      "identity_namespaces: 'external_id' audiences: 'VIP'");
  pc::VectorSource<pc::Row> rows({pc::Row{{"1"}, {}}, pc::Row{{"2"}, {}}});
  Show("pushed", pc::PushMembers(client, open, rows));
  auto reach = Of<v1::StreamMembersRequest>(
      "audience: 'instances/default/audiences/vip' reach { channel: 'email' } attributes: 'city'");
  Must(pc::StreamMembers(client, reach, ShowMessage).status);
}

// 2. The CDP changes attributes of people who exist; nobody is created.
void AttributesInStep(pc::Client& client) {
  auto open = Of<v1::SyncProfilesRequest::Open>(
      "destination: 'instances/default/destinations/crm' stream { stream: 'towns' } "
      "identity_namespaces: 'external_id' fields: 'town'");
  pc::VectorSource<pc::Row> rows({pc::Row{{"1"}, {"Lyon"}}, pc::Row{{"nobody"}, {"Lille"}}});
  Show("synced", pc::SyncProfiles(client, open, rows));
}

// 3. The campaign side appends its logs; the CDP exports them.
void LogsBack(pc::Client& client) {
  auto delivery = Of<v1::CreateDeliveryRequest>(
      "parent: 'instances/default' delivery_id: 'spring' delivery { channel: 'email' }");
  Must(client.Call(&v1::LogService::Stub::CreateDelivery, delivery).status());
  auto to = Of<v1::AppendLogsRequest::Open>("parent: 'instances/default' stream { stream: 'log' }");
  pc::VectorSource<v1::RawLogEntry> rows({Of<v1::RawLogEntry>(
      "kind: LOG_KIND_DELIVERY delivery: 'spring' broadlog_id: 1 status: DELIVERY_STATUS_SENT")});
  Show("appended", pc::AppendLogs(client, to, rows));
  auto everything = Of<v1::ExportLogsRequest>("name: 'instances/default'");
  Must(pc::ExportLogs(client, everything, ShowMessage).status);
}

int main(int argc, char** argv) {
  auto client = pc::Client::Connect(argc > 1 ? argv[1] : pc::kDefaultTarget);
  Must(client.status());
  for (auto flow : {Prepare, AudienceIn, AttributesInStep, LogsBack}) flow(**client);
}
