#include "absl/strings/str_cat.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/file_ingest.h"

namespace passerelle::tools {
namespace {

struct SyncFlags {
  FileFlags file;
  std::string destination;
};

absl::Status Sync(Session& session, const SyncFlags& flags) {
  auto reader = OpenFile(flags.file);
  if (!reader.ok()) return reader.status();
  const IngestJob job = {"sync", session.NameOf("destinations", flags.destination)};
  v1::GetDestinationRequest get;
  get.set_name(job.target);
  auto destination = session.Call(&v1::DestinationService::Stub::GetDestination, get);
  if (!destination.ok()) return destination.status();
  auto plan = PlanOf(session, flags.file, **reader);
  if (!plan.ok()) return plan.status();
  auto fields = MappedFields(session, flags.file, *destination, **reader);
  if (!fields.ok()) return fields.status();
  if (fields->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(flags.file.file, ": no column is a source field of ", job.target,
                     "; give --map SOURCE=COLUMN, or see `passerelle destinations get`"));
  }
  plan->fields = *fields;
  auto stream = StreamNameOf(job, flags.file, *plan, "", **reader);
  if (!stream.ok()) return stream.status();
  TellIgnoredColumns(session, *plan, **reader, "no source field of the destination");
  v1::SyncProfilesRequest::Open open;
  open.set_destination(job.target);
  open.mutable_stream()->set_stream(*stream);
  for (const auto& identity : plan->identities) open.add_identity_namespaces(identity.name_space);
  for (const auto& field : plan->fields) open.add_fields(field.field);
  auto rows = FileRows::Make(*std::move(reader), *plan);
  if (!rows.ok()) return rows.status();
  return RunIngest(session, job, flags.file, *stream, (*rows)->reader(),
                   [&](client::Client& client, const client::IngestOptions& options) {
                     return client::SyncProfiles(client, open, **rows, options);
                   });
}

}  // namespace

void AddSync(CLI::App& app, Session& session) {
  auto flags = std::make_shared<SyncFlags>();
  CLI::App* sync =
      app.add_subcommand("sync", "Updates profiles that exist, through a profile-sync destination");
  sync->add_option("destination", flags->destination, "The destination")->required();
  AddFileFlags(sync, &flags->file);
  AddRowFlags(sync, &flags->file);
  session.OnRun(sync, [&session, flags] { return Sync(session, *flags); });
}

}  // namespace passerelle::tools
