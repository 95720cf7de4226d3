#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "passerelle/export.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/file_ingest.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/progress.h"
#include "tools/passerelle/row_output.h"
#include "tools/passerelle/state_file.h"

namespace passerelle::tools {
namespace {

struct MembersFlags {
  std::string audience;
  std::string reach;
  std::string attributes;
  std::string identities;
  std::string since;
  std::string since_file;
  std::string format;
  std::string out;
  bool spreadsheet_safe = false;
};

std::string TimeText(int64_t time_us) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", absl::FromUnixMicros(time_us),
                          absl::UTCTimeZone());
}

// Gives the values of one column, record by record.
class ColumnReader {
 public:
  ColumnReader(const v1::Column& column, v1::AttributeType type) : column_(column), type_(type) {}

  Json Next() {
    const std::size_t record = record_++;
    if (!column_.presence().empty() && column_.presence()[record] != 2) return Json();
    const int at = value_++;
    switch (type_) {
      case v1::ATTRIBUTE_TYPE_INT64:
        return column_.integers(at);
      case v1::ATTRIBUTE_TYPE_TIMESTAMP:
        return TimeText(column_.integers(at));
      case v1::ATTRIBUTE_TYPE_DATE:
        return absl::FormatCivilTime(absl::CivilDay(1970, 1, 1) + column_.integers(at));
      case v1::ATTRIBUTE_TYPE_DOUBLE:
        return column_.doubles(at);
      case v1::ATTRIBUTE_TYPE_BOOL:
        return column_.bools(at);
      case v1::ATTRIBUTE_TYPE_STRING_LIST:
        return Json(std::vector<std::string>(column_.lists(at).values().begin(),
                                             column_.lists(at).values().end()));
      default:
        return column_.texts(at);
    }
  }

 private:
  const v1::Column& column_;
  const v1::AttributeType type_;
  std::size_t record_ = 0;
  int value_ = 0;
};

class MemberWriter {
 public:
  MemberWriter(RowOutput* output, const v1::StreamMembersRequest& request,
               const std::map<std::string, v1::AttributeType>& types)
      : output_(*output), identities_(request.identity_namespaces_size()) {
    columns_.push_back("profile");
    columns_.insert(columns_.end(), request.identity_namespaces().begin(),
                    request.identity_namespaces().end());
    for (const std::string& attribute : request.attributes()) {
      columns_.push_back(attribute);
      auto found = types.find(attribute);
      types_.push_back(found == types.end() ? v1::ATTRIBUTE_TYPE_STRING : found->second);
    }
    columns_.push_back("qualification_time");
  }

  absl::Status Take(const v1::StreamMembersResponse& response) {
    if (response.has_header()) {
      if (response.header().incremental()) columns_.push_back("change");
      output_.SetColumns(columns_);
    }
    if (!response.has_batch()) return absl::OkStatus();
    WriteBatch(response.batch());
    return output_.Flush();
  }

 private:
  void WriteBatch(const v1::StreamMembersResponse::Batch& batch) {
    std::vector<ColumnReader> readers;
    for (int i = 0; i < identities_; ++i) {
      readers.emplace_back(batch.identities(i), v1::ATTRIBUTE_TYPE_STRING);
    }
    for (std::size_t i = 0; i < types_.size(); ++i) {
      readers.emplace_back(batch.columns(static_cast<int>(i)), types_[i]);
    }
    std::vector<Json> values;
    for (int i = 0; i < batch.records(); ++i) {
      values.clear();
      values.push_back(batch.profiles(i));
      for (ColumnReader& reader : readers) values.push_back(reader.Next());
      const int64_t time_us =
          i < batch.qualification_times_us_size() ? batch.qualification_times_us(i) : 0;
      values.push_back(time_us == 0 ? Json() : Json(TimeText(time_us)));
      if (i < batch.changes_size()) {
        values.push_back(EnumWords(v1::StreamMembersResponse::Change_Name(batch.changes(i))));
      }
      output_.Write(values);
    }
  }

  RowOutput& output_;
  const int identities_;
  std::vector<std::string> columns_;
  std::vector<v1::AttributeType> types_;
};

absl::StatusOr<v1::StreamMembersRequest> RequestOf(const Session& session,
                                                   const MembersFlags& flags) {
  v1::StreamMembersRequest request;
  request.set_audience(session.NameOf("audiences", flags.audience));
  *request.mutable_reach() = ParseReach(flags.reach);
  for (const std::string& id : ParseList(flags.attributes)) request.add_attributes(id);
  for (const std::string& id : ParseList(flags.identities)) request.add_identity_namespaces(id);
  request.set_since_token(flags.since);
  if (!flags.since_file.empty()) {
    auto token = ReadState(flags.since_file);
    if (!token.ok()) return token.status();
    request.set_since_token(*token);
  }
  return request;
}

Json ByReason(const google::protobuf::RepeatedPtrField<v1::ExcludedCount>& counts) {
  Json told = Json::object();
  for (const auto& part : counts) {
    told[EnumWords(v1::ExclusionReason_Name(part.reason()))] = part.members();
  }
  return told;
}

void TellTrailer(const Session& session, const client::MembersResult& result) {
  const Json excluded = ByReason(result.trailer.excluded());
  const Json exited = ByReason(result.trailer.exited_out_of_reach());
  if (session.json()) {
    std::cerr << Json{{"members", result.trailer.members()},
                      {"streamed", result.trailer.streamed()},
                      {"excluded", excluded},
                      {"exited_out_of_reach", exited},
                      {"incremental", result.header.incremental()},
                      {"sequence", result.header.sequence()},
                      {"end_token", result.trailer.end_token()}}
                     .dump()
              << "\n";
    return;
  }
  if (session.quiet()) return;
  std::cerr << WithCommas(result.trailer.streamed()) << " of "
            << WithCommas(result.trailer.members())
            << (result.header.incremental() ? " changed members" : " members");
  for (const auto& [reason, members] : excluded.items()) {
    std::cerr << ", " << reason << " " << WithCommas(members.get<int64_t>());
  }
  for (const auto& [reason, members] : exited.items()) {
    std::cerr << ", exited as " << reason << " " << WithCommas(members.get<int64_t>());
  }
  std::cerr << "\nnext time: --since " << result.trailer.end_token() << "\n";
}

absl::Status Members(Session& session, const MembersFlags& flags) {
  auto request = RequestOf(session, flags);
  if (!request.ok()) return request.status();
  auto format = RowFormatOf(flags.format, flags.out, session.json());
  if (!format.ok()) return format.status();
  auto types = AttributeTypes(session);
  if (!types.ok()) return types.status();
  auto output =
      RowOutput::Open({flags.out, *format, RowOutput::Mode::kReplace, -1, flags.spreadsheet_safe});
  if (!output.ok()) return output.status();
  auto connected = session.Connect();
  if (!connected.ok()) return connected.status();
  session.EndInOrder();
  MemberWriter writer(output->get(), *request, *types);
  Progress progress("members", session.quiet() || flags.out.empty());
  client::ExportOptions options;
  options.stop = &session.stop();
  int64_t rows = 0;
  int64_t members = 0;
  client::MembersResult result = client::StreamMembers(
      **connected, *request,
      [&](const v1::StreamMembersResponse& response) {
        if (response.has_header()) members = response.header().members();
        rows += response.batch().records();
        progress.Update(members > 0 ? static_cast<double>(rows) / members : -1, rows);
        return writer.Take(response);
      },
      options);
  progress.End();
  if (!result.status.ok()) {
    TellLeft(session, **output, flags.out);
    return result.status;
  }
  absl::Status flushed = (*output)->Commit();
  if (flushed.ok() && !flags.since_file.empty()) {
    flushed = WriteState(flags.since_file, result.trailer.end_token());
  }
  if (flushed.ok()) TellTrailer(session, result);
  return flushed;
}

}  // namespace

void AddMembers(CLI::App& app, Session& session) {
  auto flags = std::make_shared<MembersFlags>();
  flags->identities = "external_id";
  CLI::App* members =
      app.add_subcommand("members", "Streams an audience's members, whole or what changed");
  members->add_option("audience", flags->audience, "The audience")->required();
  members->add_option("--reach", flags->reach, "CHANNEL[/PURPOSE] that the output is for")
      ->required();
  members->add_option("--attributes", flags->attributes, "Attributes to send: a,b");
  members->add_option("--identities", flags->identities, "Namespaces to send: email,external_id")
      ->capture_default_str();
  auto* since = members->add_option("--since", flags->since,
                                    "Only what changed since the end token of an earlier run");
  members
      ->add_option("--since-file", flags->since_file,
                   "A file that keeps the end token: whole at first, then what changed")
      ->excludes(since);
  members->add_flag("--spreadsheet-safe", flags->spreadsheet_safe, kSpreadsheetSafeWords);
  members->add_option("--format", flags->format, "csv or ndjson");
  members->add_option("--out", flags->out, "The file to write; standard output by default");
  session.OnRun(members, [&session, flags] { return Members(session, *flags); });
}

}  // namespace passerelle::tools
