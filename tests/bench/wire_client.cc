#include "tests/bench/wire_client.h"

#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "passerelle/v1/audience_sync_service.grpc.pb.h"
#include "passerelle/v1/destination_service.grpc.pb.h"
#include "passerelle/v1/instance_service.grpc.pb.h"
#include "passerelle/v1/log_service.grpc.pb.h"
#include "passerelle/v1/profile_service.grpc.pb.h"
#include "passerelle/v1/profile_sync_service.grpc.pb.h"
#include "tests/bench/ingest_call.h"

namespace passerelle::bench {
namespace {

constexpr char kInstance[] = "instances/default";
constexpr char kSyncDestination[] = "sync";
constexpr IngestShape kShape = {kBatchRecords, kUnackedBatches};

// What Patch holds, in the order of its columns.
constexpr const char* kPatchFields[] = {"city", "points", "last_order"};

constexpr const char* kExportFields[] = {
    "sequence",      "kind",     "delivery",           "broadlog_id",
    "event_time_us", "status",   "append_time_us",     "profile",
    "failure_type",  "identity", "identity_namespace", "failure_reason",
};

void Check(const grpc::Status& status, const char* what) {
  if (status.ok()) return;
  throw std::runtime_error(
      absl::StrCat(what, " failed with code ", status.error_code(), ": ", status.error_message()));
}

// Every record must have had this outcome; anything else would be other work than the other side's.
void Expect(const v1::IngestFinished& finished, v1::Outcome outcome, int64_t records) {
  const bool good = finished.total_records() == records && finished.totals_size() == 1 &&
                    finished.totals(0).outcome() == outcome && finished.totals(0).rows() == records;
  if (good) return;
  throw std::runtime_error(absl::StrCat("wanted ", records, " x ", v1::Outcome_Name(outcome),
                                        ", got ", finished.ShortDebugString()));
}

// Empties the columns and keeps their memory.
template <class Columns>
void Clear(Columns& columns) {
  for (v1::Column& column : columns) {
    column.mutable_texts()->Clear();
    column.mutable_integers()->Clear();
    column.mutable_doubles()->Clear();
    column.mutable_bools()->Clear();
  }
}

template <class Columns>
void Resize(Columns& columns, int count) {
  while (columns.size() < count) columns.Add();
  Clear(columns);
}

template <class Batch>
void AddPeople(Batch& batch, int64_t count) {
  Resize(*batch.mutable_identities(), 1);
  batch.set_records(static_cast<int32_t>(count));
}

void AddPerson(google::protobuf::RepeatedPtrField<v1::Column>& columns, const Person& person) {
  columns[0].add_texts(person.first_name);
  columns[1].add_texts(person.last_name);
  columns[2].add_texts(person.city);
  columns[3].add_texts(person.country);
  columns[4].add_texts(person.language);
  columns[5].add_integers(person.age);
  columns[6].add_integers(person.points);
  columns[7].add_doubles(person.spent);
  columns[8].add_integers(person.last_order_us);
  columns[9].add_integers(person.birth_day);
  columns[10].add_bools(person.newsletter);
  columns[11].add_texts(person.store);
}

void FillEntry(v1::RawLogEntry& entry, const std::string& delivery, const Sending& sending) {
  entry.set_kind(v1::LOG_KIND_DELIVERY);
  entry.set_delivery(delivery);
  entry.set_broadlog_id(sending.broadlog_id);
  entry.set_event_time_us(sending.event_us);
  entry.set_identity_namespace(kNamespace);
  entry.set_identity(sending.external_id);
  entry.set_status(static_cast<v1::DeliveryStatus>(sending.status));
  entry.set_failure_type(static_cast<v1::FailureType>(sending.failure_type));
  entry.set_failure_reason(sending.failure_reason);
}

void AddEntry(const v1::LogEntry& entry, ExportSum& sum) {
  ++sum.rows;
  const bool complete =
      entry.sequence() > 0 && entry.kind() == v1::LOG_KIND_DELIVERY && entry.append_time_us() > 0;
  if (!complete) throw std::runtime_error("an exported row lacks a value");
  sum.broadlog_ids += entry.broadlog_id();
  sum.event_us += entry.event_time_us();
  sum.profiles += entry.profile();
  sum.failures += entry.status() == v1::DELIVERY_STATUS_FAILED
                      ? int64_t{entry.failure_type()} * 1000 + entry.failure_reason()
                      : 0;
  sum.text_bytes += static_cast<int64_t>(
      entry.delivery().size() + entry.identity_namespace().size() + entry.identity().size());
}

}  // namespace

WireClient::WireClient(const std::string& address)
    : channel_(grpc::CreateChannel(address, grpc::InsecureChannelCredentials())) {}

void WireClient::AddAttributes() {
  auto stub = v1::InstanceService::NewStub(channel_);
  for (const AttributeSpec& spec : kAttributes) {
    v1::CreateAttributeRequest request;
    request.set_parent(kInstance);
    request.set_attribute_id(spec.id);
    request.mutable_attribute()->set_type(spec.type);
    grpc::ClientContext context;
    v1::Attribute created;
    Check(stub->CreateAttribute(&context, request, &created), "creating an attribute");
  }
}

void WireClient::AddAttribute(const std::string& id) {
  auto stub = v1::InstanceService::NewStub(channel_);
  v1::CreateAttributeRequest request;
  request.set_parent(kInstance);
  request.set_attribute_id(id);
  request.mutable_attribute()->set_type(v1::ATTRIBUTE_TYPE_INT64);
  grpc::ClientContext context;
  v1::Attribute created;
  Check(stub->CreateAttribute(&context, request, &created), "adding an attribute");
}

void WireClient::Import(int64_t people, uint64_t seed) {
  auto stub = v1::ProfileService::NewStub(channel_);
  grpc::ClientContext context;
  v1::ImportProfilesRequest open;
  open.mutable_open()->set_parent(kInstance);
  open.mutable_open()->mutable_stream()->set_stream("import");
  open.mutable_open()->add_identity_namespaces(kNamespace);
  for (const AttributeSpec& spec : kAttributes) open.mutable_open()->add_fields(spec.id);
  IngestCall call(stub->ImportProfiles(&context), kShape);
  const auto finished = call.Run(open, people, [&](auto& batch, int64_t first, int64_t count) {
    AddPeople(batch, count);
    Resize(*batch.mutable_columns(), static_cast<int>(kAttributes.size()));
    for (int64_t i = first; i < first + count; ++i) {
      const Person person = MakePerson(i, seed);
      batch.mutable_identities(0)->add_texts(person.external_id);
      AddPerson(*batch.mutable_columns(), person);
    }
  });
  Expect(finished, v1::OUTCOME_CREATED, people);
}

void WireClient::AddSyncDestination() {
  v1::CreateDestinationRequest request;
  request.set_parent(kInstance);
  request.set_destination_id(kSyncDestination);
  request.mutable_destination()->set_sync_type(v1::Destination::SYNC_TYPE_PROFILE_SYNC);
  for (const char* field : kPatchFields) {
    v1::FieldMapping& mapping = *request.mutable_destination()->add_mappings();
    mapping.set_source_field(field);
    mapping.set_attribute(field);
  }
  grpc::ClientContext context;
  v1::Destination created;
  Check(v1::DestinationService::NewStub(channel_)->CreateDestination(&context, request, &created),
        "creating a destination");
}

void WireClient::AddPushDestination(const std::string& id) {
  v1::CreateDestinationRequest request;
  request.set_parent(kInstance);
  request.set_destination_id(id);
  request.mutable_destination()->set_sync_type(v1::Destination::SYNC_TYPE_AUDIENCE_SYNC);
  request.mutable_destination()->add_audiences()->set_source_id(id);
  grpc::ClientContext context;
  v1::Destination created;
  Check(v1::DestinationService::NewStub(channel_)->CreateDestination(&context, request, &created),
        "creating a destination");
}

void WireClient::AddDelivery(const std::string& id) {
  v1::CreateDeliveryRequest request;
  request.set_parent(kInstance);
  request.set_delivery_id(id);
  request.mutable_delivery()->set_channel("email");
  grpc::ClientContext context;
  v1::Delivery created;
  Check(v1::LogService::NewStub(channel_)->CreateDelivery(&context, request, &created),
        "creating a delivery");
}

void WireClient::Sync(const std::string& stream, const std::vector<Patch>& patches) {
  auto stub = v1::ProfileSyncService::NewStub(channel_);
  grpc::ClientContext context;
  v1::SyncProfilesRequest open;
  open.mutable_open()->set_destination(absl::StrCat(kInstance, "/destinations/", kSyncDestination));
  open.mutable_open()->mutable_stream()->set_stream(stream);
  open.mutable_open()->add_identity_namespaces(kNamespace);
  for (const char* field : kPatchFields) open.mutable_open()->add_fields(field);
  IngestCall call(stub->SyncProfiles(&context), kShape);
  const auto records = static_cast<int64_t>(patches.size());
  const auto finished = call.Run(open, records, [&](auto& batch, int64_t first, int64_t count) {
    AddPeople(batch, count);
    auto& columns = *batch.mutable_columns();
    Resize(columns, 3);
    for (int64_t i = first; i < first + count; ++i) {
      batch.mutable_identities(0)->add_texts(patches[i].external_id);
      columns[0].add_texts(patches[i].city);
      columns[1].add_integers(patches[i].points);
      columns[2].add_integers(patches[i].last_order_us);
    }
  });
  Expect(finished, v1::OUTCOME_UPDATED, records);
}

void WireClient::Push(const std::string& id, const std::string& stream,
                      const std::vector<std::string>& members) {
  auto stub = v1::AudienceSyncService::NewStub(channel_);
  grpc::ClientContext context;
  v1::PushMembersRequest open;
  open.mutable_open()->set_destination(absl::StrCat(kInstance, "/destinations/", id));
  open.mutable_open()->mutable_stream()->set_stream(stream);
  open.mutable_open()->add_identity_namespaces(kNamespace);
  open.mutable_open()->add_audiences(id);
  IngestCall call(stub->PushMembers(&context), kShape);
  const auto records = static_cast<int64_t>(members.size());
  const auto finished = call.Run(open, records, [&](auto& batch, int64_t first, int64_t count) {
    AddPeople(batch, count);
    for (int64_t i = first; i < first + count; ++i) {
      batch.mutable_identities(0)->add_texts(members[i]);
    }
  });
  Expect(finished, v1::OUTCOME_REALIZED, records);
}

void WireClient::Append(const std::string& delivery, const std::string& stream,
                        const std::vector<Sending>& sendings) {
  auto stub = v1::LogService::NewStub(channel_);
  grpc::ClientContext context;
  v1::AppendLogsRequest open;
  open.mutable_open()->set_parent(kInstance);
  open.mutable_open()->mutable_stream()->set_stream(stream);
  IngestCall call(stub->AppendLogs(&context), kShape);
  const auto records = static_cast<int64_t>(sendings.size());
  const auto finished = call.Run(open, records, [&](auto& batch, int64_t first, int64_t count) {
    batch.mutable_rows()->Clear();
    for (int64_t i = first; i < first + count; ++i) {
      FillEntry(*batch.add_rows(), delivery, sendings[i]);
    }
  });
  Expect(finished, v1::OUTCOME_APPENDED, records);
}

ExportSum WireClient::Export() {
  auto stub = v1::LogService::NewStub(channel_);
  grpc::ClientContext context;
  v1::ExportLogsRequest request;
  request.set_name(kInstance);
  for (const char* field : kExportFields) request.add_fields(field);
  ExportSum sum;
  auto stream = stub->ExportLogs(&context, request);
  v1::ExportLogsResponse response;
  while (stream->Read(&response)) {
    for (const v1::LogEntry& entry : response.rows()) AddEntry(entry, sum);
  }
  Check(stream->Finish(), "exporting");
  return sum;
}

}  // namespace passerelle::bench
