#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tests/model/generator.h"
#include "tests/model/wire_system.h"

namespace passerelle::model {
namespace {

// Unary batches with the common fields.
template <class Request>
void FillOptions(const Operation& op, Request* request) {
  request->set_request_id(op.request_id);
  request->set_all_or_nothing(op.all_or_nothing);
}

}  // namespace

std::string TypeOfField(const std::string& field) {
  for (const PoolAttribute& attribute : AttributePool()) {
    if (field == attribute.id || field == absl::StrCat("f_", attribute.id)) {
      return attribute.spec.type;
    }
  }
  return "string";
}

void FillRow(const Row& row, v1::ProfileRow* wire) {
  for (const auto& [ns, value] : row.identities) (*wire->mutable_identities())[ns] = value;
  for (const auto& [field, value] : row.fields) {
    google::protobuf::Value& written = (*wire->mutable_fields())[field];
    const std::string type = TypeOfField(field);
    double number = 0;
    if (value.null) {
      written.set_null_value(google::protobuf::NULL_VALUE);
    } else if (type == "bool") {
      written.set_bool_value(value.text == "true");
    } else if (type == "string") {
      written.set_string_value(value.text);
    } else if (absl::SimpleAtod(value.text, &number)) {
      written.set_number_value(number);
    }
  }
  if (row.event_us.has_value()) {
    *wire->mutable_event_time() = WireTime(*row.event_us);
  }
  wire->set_record_key(row.key);
}

void FillEntry(const Entry& entry, v1::LogEntry* row) {
  row->set_kind(entry.tracking ? v1::LOG_KIND_TRACKING : v1::LOG_KIND_DELIVERY);
  row->set_delivery(entry.delivery);
  row->set_broadlog_id(entry.message);
  row->set_tracking_log_id(entry.tracking_id);
  row->set_event_time_us(entry.event_us.value_or(0));
  row->set_identity_namespace(entry.ns);
  row->set_identity(entry.identity);
  row->set_status(static_cast<v1::DeliveryStatus>(entry.status));
  row->set_failure_type(static_cast<v1::FailureType>(entry.failure_type));
  row->set_failure_reason(entry.failure_reason);
  row->set_tracking_kind(static_cast<v1::TrackingKind>(entry.tracking_kind));
  row->set_seed(entry.seed);
}

absl::StatusOr<v1::BatchResult> WireSystem::CallBatch(const Operation& op) {
  if (op.kind == Kind::kImport) {
    v1::BatchImportProfilesRequest request;
    request.set_parent(kInstance);
    for (const Row& row : op.rows) FillRow(row, request.add_rows());
    FillOptions(op, &request);
    return client_->Call(&v1::ProfileService::Stub::BatchImportProfiles, request);
  }
  if (op.kind == Kind::kSync) {
    v1::BatchUpdateProfilesRequest request;
    request.set_destination(model::NameOf("destinations", op.target));
    for (const Row& row : op.rows) FillRow(row, request.add_rows());
    FillOptions(op, &request);
    return client_->Call(&v1::ProfileSyncService::Stub::BatchUpdateProfiles, request);
  }
  if (op.kind == Kind::kAppend) {
    v1::BatchAppendLogsRequest request;
    request.set_parent(kInstance);
    for (const Entry& entry : op.entries) FillEntry(entry, request.add_rows());
    FillOptions(op, &request);
    return client_->Call(&v1::LogService::Stub::BatchAppendLogs, request);
  }
  v1::BatchPushMembersRequest request;
  request.set_destination(model::NameOf("destinations", op.target));
  for (const Row& row : op.rows) {
    v1::MembershipRow* wire = request.add_rows();
    FillRow(row, wire->mutable_profile());
    wire->set_audience(row.audience);
    wire->set_status(row.realized ? v1::MEMBERSHIP_STATUS_REALIZED : v1::MEMBERSHIP_STATUS_EXITED);
    if (!row.qualified_us.has_value()) continue;
    *wire->mutable_qualification_time() = WireTime(*row.qualified_us);
  }
  FillOptions(op, &request);
  return client_->Call(&v1::AudienceSyncService::Stub::BatchPushMembers, request);
}

std::string WireSystem::Batch(const Operation& op) {
  const auto result = CallBatch(op);
  LearnProfiles();
  if (!result.ok()) return WireText(result.status());
  if (op.kind == Kind::kAppend) AwaitFollower(result->commit_token());
  Ack ack;
  ack.counts = CountsOf(result->counts());
  for (const auto& [outcome, rows] : ack.counts) ack.received += rows;
  ack.next = ack.received;
  ack.repeated = result->repeated_request();
  for (const v1::RowOutcome& row : result->rows()) ack.rows.push_back(AnswerOf(row));
  return TextOf(ack, true);
}

void WireSystem::AwaitFollower(const std::string& commit_token) {
  v1::ListProfilesRequest request;
  request.set_parent(kInstance);
  request.set_page_size(1);
  request.set_commit_token(commit_token);
  (void)client_->Call(&v1::ProfileService::Stub::ListProfiles, request);
}

// Profiles are named by the order in which they were made.
void WireSystem::LearnProfiles() {
  v1::ListProfilesRequest request;
  request.set_parent(kInstance);
  request.set_page_size(1'000);
  const auto listed = client_->Call(&v1::ProfileService::Stub::ListProfiles, request);
  if (!listed.ok()) return;
  std::vector<int64_t> ids;
  for (const v1::Profile& profile : listed->profiles()) {
    int64_t id = 0;
    if (absl::SimpleAtoi(IdOf(profile.name()), &id)) ids.push_back(id);
  }
  std::sort(ids.begin(), ids.end());
  for (const int64_t id : ids) names_.emplace(id, static_cast<int>(names_.size()) + 1);
}

}  // namespace passerelle::model
