#include "absl/strings/str_cat.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/file_ingest.h"
#include "tools/passerelle/parse.h"

namespace passerelle::tools {
namespace {

struct PushFlags {
  FileFlags file;
  std::string destination;
  std::string audience;
  std::string audience_column;
  std::string status_column;
  std::string time_column;
  bool replace = false;
  std::string as_of;
  double max_refused_percent = -1;
  bool allow_empty = false;
};

// What else makes it another stream.
std::string RestOf(const PushFlags& flags) {
  return absl::StrCat(flags.audience, "|", flags.audience_column, "|", flags.status_column, "|",
                      flags.time_column, "|", flags.as_of);
}

absl::Status FillReplace(const PushFlags& flags, v1::PushMembersRequest::Open* open) {
  if (!flags.replace) return absl::OkStatus();
  auto* replace = open->mutable_replace();
  if (flags.max_refused_percent >= 0) {
    replace->set_max_refused_percent(flags.max_refused_percent);
  }
  if (flags.as_of.empty()) return absl::OkStatus();
  auto time = ParseTime("--as-of", flags.as_of);
  if (time.ok()) *replace->mutable_as_of() = *time;
  return time.status();
}

absl::Status FillAudiences(const PushFlags& flags, const v1::Destination& destination,
                           RowPlan* plan) {
  if (flags.audience.empty() == flags.audience_column.empty()) {
    return absl::InvalidArgumentError(
        flags.replace ? "replace: wanted --audience SOURCE_ID"
                      : "push: wanted either --audience SOURCE_ID or --audience-column COLUMN");
  }
  if (!flags.audience.empty()) plan->audiences = {flags.audience};
  if (!flags.audience_column.empty()) {
    for (const auto& audience : destination.audiences()) {
      plan->audiences.push_back(audience.source_id());
    }
  }
  plan->audience_column = flags.audience_column;
  plan->status_column = flags.status_column;
  plan->qualification_time_column = flags.time_column;
  return absl::OkStatus();
}

absl::StatusOr<RowPlan> PlanPush(Session& session, const PushFlags& flags, const std::string& name,
                                 const RecordReader& reader) {
  v1::GetDestinationRequest get;
  get.set_name(name);
  auto destination = session.Call(&v1::DestinationService::Stub::GetDestination, get);
  if (!destination.ok()) return destination.status();
  auto plan = PlanOf(session, flags.file, reader);
  if (!plan.ok()) return plan.status();
  auto fields = MappedFields(session, flags.file, *destination, reader);
  if (!fields.ok()) return fields.status();
  plan->fields = *fields;
  absl::Status filled = FillAudiences(flags, *destination, &*plan);
  if (!filled.ok()) return filled;
  return plan;
}

// A file without rows is more often a failed export than an audience that shall be empty.
absl::Status CheckHasRows(const PushFlags& flags, RecordReader& reader) {
  if (!flags.replace || flags.allow_empty) return absl::OkStatus();
  std::vector<Cell> cells;
  auto more = reader.Next(&cells);
  if (!more.ok()) return more.status();
  if (*more) return reader.Rewind();
  return absl::InvalidArgumentError(
      absl::StrCat("replace ", flags.file.file, ": no rows, and so '", flags.audience,
                   "' would become empty; give --allow-empty if it shall be"));
}

absl::Status Push(Session& session, const PushFlags& flags) {
  auto reader = OpenFile(flags.file);
  if (!reader.ok()) return reader.status();
  const IngestJob job = {flags.replace ? "replace" : "push",
                         session.NameOf("destinations", flags.destination)};
  auto plan = PlanPush(session, flags, job.target, **reader);
  if (!plan.ok()) return plan.status();
  absl::Status rows_there = CheckHasRows(flags, **reader);
  if (!rows_there.ok()) return rows_there;
  auto stream = StreamNameOf(job, flags.file, *plan, RestOf(flags), **reader);
  if (!stream.ok()) return stream.status();
  TellIgnoredColumns(session, *plan, **reader, "no source field of the destination");
  v1::PushMembersRequest::Open open;
  open.set_destination(job.target);
  open.mutable_stream()->set_stream(*stream);
  for (const auto& identity : plan->identities) open.add_identity_namespaces(identity.name_space);
  for (const auto& field : plan->fields) open.add_fields(field.field);
  for (const std::string& audience : plan->audiences) open.add_audiences(audience);
  absl::Status filled = FillReplace(flags, &open);
  if (!filled.ok()) return filled;
  auto rows = FileRows::Make(*std::move(reader), *plan);
  if (!rows.ok()) return rows.status();
  return RunIngest(session, job, flags.file, *stream, (*rows)->reader(),
                   [&](client::Client& client, const client::IngestOptions& options) {
                     return client::PushMembers(client, open, **rows, options);
                   });
}

CLI::App* AddShared(CLI::App& app, Session& session, const std::string& verb,
                    const std::string& description, const std::shared_ptr<PushFlags>& flags) {
  CLI::App* command = app.add_subcommand(verb, description);
  command->add_option("destination", flags->destination, "The destination")->required();
  AddFileFlags(command, &flags->file);
  AddRowFlags(command, &flags->file);
  command->add_option("--audience", flags->audience, "SOURCE_ID of the audience of all rows");
  command->add_option("--time-column", flags->time_column, "Column: since when the row qualifies");
  session.OnRun(command, [&session, flags] { return Push(session, *flags); });
  return command;
}

}  // namespace

void AddPush(CLI::App& app, Session& session) {
  auto flags = std::make_shared<PushFlags>();
  CLI::App* push =
      AddShared(app, session, "push", "Pushes who came into audiences, and who left", flags);
  push->add_option("--audience-column", flags->audience_column, "Column: SOURCE_ID of each row");
  push->add_option("--status-column", flags->status_column, "Column: realized or exited");
  auto whole = std::make_shared<PushFlags>();
  whole->replace = true;
  CLI::App* replace =
      AddShared(app, session, "replace", "Replaces an audience as a whole, at one moment", whole);
  replace->add_option("--as-of", whole->as_of, "The moment the file is true for; now by default");
  replace
      ->add_option("--max-refused-percent", whole->max_refused_percent,
                   "Publish nothing if more rows are refused or unknown; 1 by default")
      ->check(CLI::Range(0.0, 100.0));
  replace->add_flag("--allow-empty", whole->allow_empty,
                    "A file without rows makes the audience empty, instead of being refused");
}

}  // namespace passerelle::tools
