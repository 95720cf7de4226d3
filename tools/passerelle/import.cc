#include <algorithm>
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

// What the instance has.
struct Schema {
  const std::map<std::string, v1::AttributeType>& attributes;
  const std::vector<std::string>& namespaces;
};

bool Contains(const std::vector<std::string>& texts, const std::string& text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

bool TakesAllColumns(const ImportFlags& flags) {
  return flags.all_columns || (flags.create_attributes && flags.file.maps.empty());
}

// Adds the column as the identity whose namespace it is named like, unless another one gives it.
void AddIdentity(const std::string& name_space, const std::string& column, RowPlan* plan) {
  for (const IdentityColumn& identity : plan->identities) {
    if (identity.name_space == name_space) return;
  }
  plan->identities.push_back({name_space, column});
}

// Two columns for one attribute: the later would win, row by row.
absl::Status CheckNoClash(const ImportFlags& flags, const std::vector<FieldColumn>& fields) {
  std::map<std::string, std::string> columns;  // by field
  for (const FieldColumn& field : fields) {
    auto [first, fresh] = columns.emplace(field.field, field.column);
    if (fresh) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        flags.file.file, ": columns '", first->second, "' and '", field.column,
        "' both become attribute '", field.field, "'; name one with --map ATTRIBUTE=COLUMN"));
  }
  return absl::OkStatus();
}

// Chooses fields, and identities among the columns that are taken without being named. Types are
// set later.
absl::Status ChooseColumns(const ImportFlags& flags, const RecordReader& reader,
                           const Schema& schema, RowPlan* plan) {
  for (const std::string& text : flags.file.maps) {
    auto pair = ParsePair("--map", text, "ATTRIBUTE=COLUMN");
    if (!pair.ok()) return pair.status();
    plan->fields.push_back({pair->first, pair->second});
  }
  const bool all = TakesAllColumns(flags);
  if (!all && !plan->fields.empty()) return CheckNoClash(flags, plan->fields);
  std::set<std::string> taken = OtherColumns(*plan);
  for (const FieldColumn& field : plan->fields) taken.insert(field.column);
  for (const std::string& column : reader.columns()) {
    const std::string id = AttributeIdOf(column);
    if (taken.count(column) > 0) continue;
    if (all && Contains(schema.namespaces, id)) {
      AddIdentity(id, column, plan);
    } else if (all || schema.attributes.count(id) > 0) {
      plan->fields.push_back({id, column});
    }
  }
  return CheckNoClash(flags, plan->fields);
}

std::string WhyIgnored(const ImportFlags& flags) {
  if (TakesAllColumns(flags)) {
    return "named like an identity namespace that is given already; --map ATTRIBUTE=COLUMN takes "
           "them";
  }
  if (!flags.file.maps.empty()) return "not in --map; --all-columns takes them too";
  return "no such attribute; --create-attributes makes them";
}

absl::StatusOr<std::vector<TypeGuess>> GuessTypes(const ImportFlags& flags,
                                                  const std::vector<FieldColumn>& fields) {
  auto reader = OpenFile(flags.file);
  if (!reader.ok()) return reader.status();
  std::vector<std::string> columns;
  for (const FieldColumn& field : fields) columns.push_back(field.column);
  absl::Status selected = (*reader)->Select(columns);
  if (!selected.ok()) return selected;
  std::vector<TypeGuess> guesses(fields.size());
  std::vector<Cell> cells;
  absl::StatusOr<bool> more = true;
  while ((more = (*reader)->Next(&cells)).ok() && *more) {
    for (std::size_t i = 0; i < cells.size(); ++i) guesses[i].See(cells[i]);
  }
  if (!more.ok()) return more.status();
  return guesses;
}

absl::Status CreateAttributes(Session& session, const ImportFlags& flags,
                              const std::vector<std::string>& namespaces,
                              const std::vector<FieldColumn>& missing,
                              std::map<std::string, v1::AttributeType>* known) {
  auto guesses = GuessTypes(flags, missing);
  if (!guesses.ok()) return guesses.status();
  for (std::size_t i = 0; i < missing.size(); ++i) {
    const v1::AttributeType type = (*guesses)[i].type();
    const auto& [field, column, unused] = missing[i];
    v1::CreateAttributeRequest request;
    request.set_parent(session.InstanceName());
    request.set_attribute_id(field);
    request.mutable_attribute()->set_type(type);
    if (column != field) request.mutable_attribute()->set_display_name(column);
    auto created = session.Call(&v1::InstanceService::Stub::CreateAttribute, request);
    if (!created.ok()) return created.status();
    (*known)[field] = type;
    const bool twice = Contains(namespaces, field);
    TellNote(session, absl::StrCat("attribute ", field, ": created, ",
                                   EnumWords(v1::AttributeType_Name(type)),
                                   twice ? "; an identity namespace has that name too" : ""));
  }
  return absl::OkStatus();
}

absl::Status SetTypes(Session& session, const ImportFlags& flags,
                      const std::vector<std::string>& namespaces, std::vector<FieldColumn>* fields,
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
    absl::Status created = CreateAttributes(session, flags, namespaces, missing, known);
    if (!created.ok()) return created;
  }
  for (FieldColumn& field : *fields) field.type = (*known)[field.field];
  return absl::OkStatus();
}

absl::Status Import(Session& session, const ImportFlags& flags) {
  auto reader = OpenFile(flags.file);
  if (!reader.ok()) return reader.status();
  const IngestJob job = {"import", ""};
  auto plan = PlanOf(session, flags.file, **reader);
  if (!plan.ok()) return plan.status();
  auto known = AttributeTypes(session);
  if (!known.ok()) return known.status();
  auto namespaces = IdentityNamespaces(session);
  if (!namespaces.ok()) return namespaces.status();
  absl::Status chosen = ChooseColumns(flags, **reader, {*known, *namespaces}, &*plan);
  if (chosen.ok()) chosen = SetTypes(session, flags, *namespaces, &plan->fields, &*known);
  if (!chosen.ok()) return chosen;
  TellIgnoredColumns(session, *plan, **reader, WhyIgnored(flags));
  auto stream =
      StreamNameOf(job, flags.file, *plan, flags.create_attributes ? "create" : "", **reader);
  if (!stream.ok()) return stream.status();
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
