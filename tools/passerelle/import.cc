#include <iostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/file_ingest.h"
#include "tools/passerelle/output.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/records/cell_value.h"

namespace passerelle::tools {
namespace {

struct ImportFlags {
  FileFlags file;
  bool all_columns = false;
  bool create_attributes = false;
};

// Columns that are something else than an attribute.
std::set<std::string> OtherColumns(const RowPlan& plan) {
  std::set<std::string> columns = {plan.event_time_column, plan.record_key_column};
  for (const IdentityColumn& identity : plan.identities) columns.insert(identity.column);
  return columns;
}

// Types are set later.
absl::StatusOr<std::vector<FieldColumn>> ChosenColumns(
    const ImportFlags& flags, const RowPlan& plan, const RecordReader& reader,
    const std::map<std::string, v1::AttributeType>& known) {
  std::vector<FieldColumn> fields;
  for (const std::string& text : flags.file.maps) {
    auto pair = ParsePair("--map", text);
    if (!pair.ok()) return pair.status();
    fields.push_back({pair->first, pair->second});
  }
  const bool all = flags.all_columns || (flags.create_attributes && fields.empty());
  if (!all && !fields.empty()) return fields;
  std::set<std::string> taken = OtherColumns(plan);
  for (const FieldColumn& field : fields) taken.insert(field.column);
  for (const std::string& column : reader.columns()) {
    const std::string id = AttributeIdOf(column);
    if (taken.count(column) == 0 && (all || known.count(id) > 0)) fields.push_back({id, column});
  }
  return fields;
}

absl::Status CreateAttributes(Session& session, const ImportFlags& flags,
                              const std::vector<FieldColumn>& missing,
                              std::map<std::string, v1::AttributeType>* known) {
  auto reader = OpenFile(flags.file);
  if (!reader.ok()) return reader.status();
  std::vector<std::string> columns;
  for (const FieldColumn& field : missing) columns.push_back(field.column);
  absl::Status selected = (*reader)->Select(columns);
  if (!selected.ok()) return selected;
  std::vector<TypeGuess> guesses(missing.size());
  std::vector<Cell> cells;
  absl::StatusOr<bool> more = true;
  while ((more = (*reader)->Next(&cells)).ok() && *more) {
    for (std::size_t i = 0; i < cells.size(); ++i) guesses[i].See(cells[i]);
  }
  if (!more.ok()) return more.status();
  for (std::size_t i = 0; i < missing.size(); ++i) {
    v1::CreateAttributeRequest request;
    request.set_parent(session.InstanceName());
    request.set_attribute_id(missing[i].field);
    request.mutable_attribute()->set_type(guesses[i].type());
    auto created = session.Call(&v1::InstanceService::Stub::CreateAttribute, request);
    if (!created.ok()) return created.status();
    (*known)[missing[i].field] = guesses[i].type();
    if (!session.quiet() && !session.json()) {
      std::cout << "attribute " << missing[i].field << ": created, "
                << EnumWords(v1::AttributeType_Name(guesses[i].type())) << "\n";
    }
  }
  return absl::OkStatus();
}

absl::Status SetTypes(Session& session, const ImportFlags& flags, std::vector<FieldColumn>* fields,
                      std::map<std::string, v1::AttributeType>* known) {
  std::vector<FieldColumn> missing;
  for (const FieldColumn& field : *fields) {
    if (known->count(field.field) == 0) missing.push_back(field);
  }
  if (!missing.empty() && !flags.create_attributes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "column '", missing[0].column, "': instance '", session.globals().instance,
        "' has no attribute '", missing[0].field, "'; create it, or give --create-attributes"));
  }
  if (!missing.empty()) {
    absl::Status created = CreateAttributes(session, flags, missing, known);
    if (!created.ok()) return created;
  }
  for (FieldColumn& field : *fields) field.type = (*known)[field.field];
  return absl::OkStatus();
}

absl::Status Import(Session& session, const ImportFlags& flags) {
  auto reader = OpenFile(flags.file);
  if (!reader.ok()) return reader.status();
  const IngestJob job = {"import", ""};
  auto stream = StreamNameOf(job, flags.file, flags.all_columns ? "all" : "", **reader);
  if (!stream.ok()) return stream.status();
  auto plan = PlanOf(session, flags.file, **reader);
  if (!plan.ok()) return plan.status();
  auto known = AttributeTypes(session);
  if (!known.ok()) return known.status();
  auto fields = ChosenColumns(flags, *plan, **reader, *known);
  if (!fields.ok()) return fields.status();
  absl::Status typed = SetTypes(session, flags, &*fields, &*known);
  if (!typed.ok()) return typed;
  plan->fields = *fields;
  v1::ImportProfilesRequest::Open open;
  open.set_parent(session.InstanceName());
  open.mutable_stream()->set_stream(*stream);
  for (const auto& identity : plan->identities) open.add_identity_namespaces(identity.name_space);
  for (const auto& field : plan->fields) open.add_fields(field.field);
  auto rows = FileRows::Make(*std::move(reader), *plan);
  if (!rows.ok()) return rows.status();
  return RunIngest(session, job, flags.file, *stream, (*rows)->reader(),
                   [&](client::Client& client, const client::IngestOptions& options) {
                     return client::ImportProfiles(client, open, **rows, options);
                   });
}

}  // namespace

void AddImport(CLI::App& app, Session& session) {
  auto flags = std::make_shared<ImportFlags>();
  CLI::App* import = app.add_subcommand("import", "Creates or updates profiles from a file");
  AddFileFlags(import, &flags->file);
  AddRowFlags(import, &flags->file);
  import->add_flag("--all-columns", flags->all_columns,
                   "Every other column is an attribute; by default those that are one already");
  import->add_flag("--create-attributes", flags->create_attributes,
                   "Create missing attributes, their types found in the data");
  session.OnRun(import, [&session, flags] { return Import(session, *flags); });
}

}  // namespace passerelle::tools
