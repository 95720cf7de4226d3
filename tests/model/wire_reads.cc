#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "passerelle/error.h"
#include "storage/status.h"
#include "tests/model/wire_system.h"

namespace passerelle::model {
namespace {

constexpr const char* kShownNamespaces[] = {"external_id", "email", "email_sha256"};
constexpr const char* kExclusions[] = {
    "",           "DELETED",     "OPTED_OUT", "NO_OPT_IN", "MANDATORY_MISSING",
    "SUPPRESSED", "QUARANTINED", "DENYLISTED"};

// Walks one column, record by record.
class ColumnWalk {
 public:
  ColumnWalk(const v1::Column& column, std::string type)
      : column_(column), type_(std::move(type)) {}

  // Nullopt: absent or null.
  std::optional<std::string> Next() {
    const std::string& presence = column_.presence();
    const size_t record = record_++;
    if (!presence.empty() && presence[record] != 2) return std::nullopt;
    const int at = value_++;
    if (type_ == "bool") return column_.bools(at) ? "true" : "false";
    if (type_ == "int64") return absl::StrCat(column_.integers(at));
    if (type_ == "double") return absl::StrCat(column_.doubles(at));
    return column_.texts(at);
  }

 private:
  const v1::Column& column_;
  const std::string type_;
  size_t record_ = 0;
  int value_ = 0;
};

std::string TextOfValue(const google::protobuf::Value& value) {
  if (value.has_bool_value()) return value.bool_value() ? "true" : "false";
  if (value.has_number_value()) return absl::StrCat(value.number_value());
  return value.string_value();
}

Entry EntryOf(const v1::LogEntry& row) {
  Entry entry;
  entry.tracking = row.kind() == v1::LOG_KIND_TRACKING;
  entry.delivery = row.delivery();
  entry.message = row.broadlog_id();
  entry.tracking_id = row.tracking_log_id();
  entry.ns = row.identity_namespace();
  entry.identity = row.identity();
  entry.status = row.status();
  entry.failure_type = row.failure_type();
  entry.failure_reason = row.failure_reason();
  entry.tracking_kind = row.tracking_kind();
  entry.seed = row.seed();
  return entry;
}

}  // namespace

std::string WireSystem::ReadProfiles() {
  v1::ListProfilesRequest request;
  request.set_parent(kInstance);
  request.set_page_size(5);
  std::string text = "OK\n";
  do {
    const auto page = client_->Call(&v1::ProfileService::Stub::ListProfiles, request);
    if (!page.ok()) return WireText(page.status());
    for (const v1::Profile& profile : page->profiles()) {
      int64_t id = 0;
      (void)absl::SimpleAtoi(IdOf(profile.name()), &id);
      absl::StrAppend(&text, "  #", NameOf(id), profile.known() ? " known" : " unknown");
      std::set<std::string> identities;
      for (const v1::Identity& identity : profile.identities()) {
        identities.insert(absl::StrCat(identity.namespace_(), ":", identity.value()));
      }
      for (const std::string& identity : identities) absl::StrAppend(&text, " ", identity);
      std::map<std::string, std::string> values;
      for (const auto& [attribute, value] : profile.attributes()) {
        absl::StrAppend(&values[attribute], " ", attribute, "='", TextOfValue(value), "'");
      }
      for (const auto& [attribute, time] : profile.attribute_times()) {
        absl::StrAppend(&values[attribute], " ", attribute, "@",
                        times_(time.seconds() * kSecondUs + time.nanos() / 1'000));
      }
      for (const auto& [attribute, shown] : values) absl::StrAppend(&text, shown);
      absl::StrAppend(&text, "\n");
    }
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return text;
}

void WireSystem::ReadBatch(const Operation& question, const v1::StreamMembersResponse::Batch& batch,
                           Members& members) {
  std::vector<ColumnWalk> identities, columns;
  for (const v1::Column& column : batch.identities()) identities.emplace_back(column, "string");
  for (int i = 0; i < batch.columns_size(); ++i) {
    columns.emplace_back(batch.columns(i), TypeOfField(question.fields[i]));
  }
  for (int i = 0; i < batch.records(); ++i) {
    std::string shown;
    for (size_t at = 0; at < identities.size(); ++at) {
      absl::StrAppend(&shown, " ", kShownNamespaces[at], ":", identities[at].Next().value_or(""));
    }
    for (size_t at = 0; at < columns.size(); ++at) {
      const auto value = columns[at].Next();
      absl::StrAppend(&shown, " ", question.fields[at], "=",
                      value.has_value() ? "'" + *value + "'" : "null");
    }
    const int name = NameOf(batch.profiles(i));
    const bool leaves =
        batch.changes_size() != 0 && batch.changes(i) == v1::StreamMembersResponse::CHANGE_EXITED;
    if (leaves) members.gone.push_back(name);
    if (!leaves) members.shown[name] = shown;
  }
}

absl::StatusOr<WireSystem::Members> WireSystem::StreamMembers(const Operation& question,
                                                              const std::string& since) {
  v1::StreamMembersRequest request;
  request.set_audience(model::NameOf("audiences", question.audience));
  request.mutable_reach()->set_channel(question.channel);
  request.mutable_reach()->set_purpose(question.purpose);
  for (const std::string& field : question.fields) request.add_attributes(field);
  for (const char* ns : kShownNamespaces) request.add_identity_namespaces(ns);
  if (question.altered && !question.fields.empty()) {
    request.add_mandatory_attributes(question.fields.front());
  }
  request.set_since_token(since);
  request.set_max_batch_members(question.limit);
  grpc::ClientContext context;
  const auto stream = client_->activation().StreamMembers(&context, request);
  Members members;
  v1::StreamMembersResponse message;
  while (stream->Read(&message)) {
    if (message.has_header()) members.members = message.header().members();
    if (message.has_batch()) ReadBatch(question, message.batch(), members);
    if (!message.has_trailer()) continue;
    members.end_token = message.trailer().end_token();
    for (const v1::ExcludedCount& excluded : message.trailer().excluded()) {
      if (excluded.members() == 0) continue;
      members.excluded[kExclusions[excluded.reason()]] = excluded.members();
    }
  }
  RETURN_IF_ERROR(client::FromGrpc(stream->Finish()));
  if (members.end_token.empty()) return absl::DataLossError("no trailer");
  return members;
}

absl::StatusOr<std::string> WireSystem::Counts(const Operation& op) {
  v1::CountMembersRequest request;
  request.set_name(model::NameOf("audiences", op.audience));
  ASSIGN_OR_RETURN(const auto all,
                   client_->Call(&v1::AudienceService::Stub::CountMembers, request));
  std::string text = absl::StrCat("OK members=", all.members(), "\n");
  for (const auto& [channel, purpose] :
       {std::pair("email", ""), std::pair("email", "promo"), std::pair("sms", "")}) {
    request.clear_reaches();
    request.add_reaches()->set_channel(channel);
    request.mutable_reaches(0)->set_purpose(purpose);
    absl::StrAppend(&text, "  ", channel, "/", purpose);
    const auto count = client_->Call(&v1::AudienceService::Stub::CountMembers, request);
    if (!count.ok()) {
      absl::StrAppend(&text, " ", WireText(count.status()), "\n");
      continue;
    }
    const auto& reach = count->reaches(0);
    std::map<std::string, int64_t> told;
    if (reach.reachable() != 0) told["reachable"] = reach.reachable();
    for (const v1::ExcludedCount& excluded : reach.excluded()) {
      if (excluded.members() != 0) told[kExclusions[excluded.reason()]] = excluded.members();
    }
    for (const auto& [what, number] : told) absl::StrAppend(&text, " ", what, "=", number);
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string WireSystem::ReadMembers(const Operation& op) {
  auto text = Counts(op);
  if (!text.ok()) return WireText(text.status());
  const auto members = StreamMembers(op, "");
  if (!members.ok()) return *text + WireText(members.status());
  for (const auto& [name, shown] : members->shown) {
    absl::StrAppend(&*text, "  #", name, shown, "\n");
  }
  for (const auto& [exclusion, count] : members->excluded) {
    absl::StrAppend(&*text, "  ", exclusion, "=", count, "\n");
  }
  return *text;
}

std::string WireSystem::TakeNote(const Operation& op) {
  const auto members = StreamMembers(op, "");
  if (!members.ok()) return WireText(members.status());
  notes_[op.id] = {op, members->end_token, members->shown};
  return "OK";
}

std::string WireSystem::Follow(const Operation& op) {
  const auto found = notes_.find(op.id);
  if (found == notes_.end()) return "no note";
  Note& note = found->second;
  const auto changes = StreamMembers(note.question, note.end_token);
  if (!changes.ok()) return WireText(changes.status());
  for (const int name : changes->gone) note.copy.erase(name);
  for (const auto& [name, shown] : changes->shown) note.copy[name] = shown;
  note.end_token = changes->end_token;
  std::string text = "OK\n";
  for (const auto& [name, shown] : note.copy) absl::StrAppend(&text, "  #", name, shown, "\n");
  return text;
}

v1::LogFilter WireSystem::FilterOf(const Operation& op) const {
  v1::LogFilter filter;
  if (!op.id.empty()) filter.add_deliveries(op.id);
  if (!op.audience.empty()) filter.add_audiences(op.audience);
  if (op.skip == 1) filter.add_kinds(v1::LOG_KIND_DELIVERY);
  if (op.skip == 2) filter.add_kinds(v1::LOG_KIND_TRACKING);
  if (op.as_of_us.has_value()) {
    *filter.mutable_start_time() = WireTime(*op.as_of_us);
  }
  return filter;
}

template <class Rows>
void WireSystem::TellRows(const Rows& rows, std::string& text) const {
  for (const v1::LogEntry& row : rows) {
    absl::StrAppend(&text, "  ", Describe(EntryOf(row)), " @", times_(row.event_time_us()));
    if (row.profile() != 0) absl::StrAppend(&text, " profile ", NameOf(row.profile()));
    absl::StrAppend(&text, row.profile_unknown() ? " unknown" : "", "\n");
  }
}

std::string WireSystem::ReadLogs(const Operation& op) {
  if (op.altered) return ExportLogs(op);
  v1::ListLogsRequest request;
  request.set_parent(kInstance);
  request.set_page_size(op.limit);
  *request.mutable_filter() = FilterOf(op);
  std::string text = "OK\n";
  do {
    const auto page = client_->Call(&v1::LogService::Stub::ListLogs, request);
    if (!page.ok()) return WireText(page.status());
    TellRows(page->rows(), text);
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return text;
}

// Broken off after each message that has rows, and begun again at its cursor.
std::string WireSystem::ExportLogs(const Operation& op) {
  v1::ExportLogsRequest request;
  request.set_name(kInstance);
  request.set_max_batch_rows(op.limit);
  *request.mutable_filter() = FilterOf(op);
  std::string text = "OK\n";
  for (bool any = true; any;) {
    any = false;
    grpc::ClientContext context;
    const auto stream = client_->logs().ExportLogs(&context, request);
    v1::ExportLogsResponse message;
    while (!any && stream->Read(&message)) {
      request.set_cursor(message.cursor());
      TellRows(message.rows(), text);
      any = message.rows_size() > 0;
    }
    if (any) context.TryCancel();
    const absl::Status ended = client::FromGrpc(stream->Finish());
    if (!any && !ended.ok()) return WireText(ended);
  }
  return text;
}

std::string WireSystem::ReadReport(const Operation& op) {
  v1::GetDeliveryReportRequest request;
  request.set_name(model::NameOf("deliveries", op.id));
  const auto report = client_->Call(&v1::LogService::Stub::GetDeliveryReport, request);
  if (!report.ok()) return WireText(report.status());
  std::string text =
      absl::StrCat("OK sent=", report->sent(), " failed=", report->failed(),
                   " pending=", report->pending(), " cancelled=", report->cancelled());
  for (const auto& failure : report->failures()) {
    absl::StrAppend(&text, " ", static_cast<int>(failure.failure_type()), "/",
                    failure.failure_reason(), "=", failure.messages());
  }
  return absl::StrCat(text, " opens=", report->distinct_opens(), "/", report->total_opens(),
                      " clicks=", report->distinct_clicks(), "/", report->total_clicks(),
                      " opt_outs=", report->distinct_opt_outs(), "/", report->total_opt_outs(),
                      " seeds=", report->seeds_and_proofs(), " rows=", report->log_rows());
}

}  // namespace passerelle::model
