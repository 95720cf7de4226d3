#include "tools/passerelle/file_ingest.h"

#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/passerelle/output.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/records/cell_value.h"

namespace passerelle::tools {
namespace {

constexpr std::size_t kMaxStemLetters = 24;
constexpr std::size_t kMaxTargetLetters = 16;

// Letters that a stream's name may have, the others as '-'.
std::string ForStream(const std::string& text, std::size_t most) {
  std::string name = absl::AsciiStrToLower(text).substr(0, most);
  for (char& letter : name) {
    if (!absl::ascii_isalnum(letter) && letter != '_' && letter != '.') letter = '-';
  }
  return name;
}

uint32_t Mix(uint32_t sum, const std::string& text) {
  return crc32(sum, reinterpret_cast<const Bytef*>(text.data()), text.size());
}

std::string TimeOf(const std::string& path) {
  struct stat found {};
  if (path == "-" || stat(path.c_str(), &found) != 0) return "";
  return absl::StrCat(found.st_mtim.tv_sec, ".", found.st_mtim.tv_nsec);
}

bool HasColumn(const RecordReader& reader, const std::string& name) {
  const auto& columns = reader.columns();
  return std::find(columns.begin(), columns.end(), name) != columns.end();
}

v1::AttributeType TypeOf(const v1::FieldMapping& mapping,
                         const std::map<std::string, v1::AttributeType>& types) {
  auto found = types.find(mapping.attribute());
  return found == types.end() ? v1::ATTRIBUTE_TYPE_STRING : found->second;
}

// What the columns are, in one text.
std::string WordsOf(const RowPlan& plan) {
  std::string words;
  for (const IdentityColumn& identity : plan.identities) {
    absl::StrAppend(&words, identity.name_space, "=", identity.column, ",");
  }
  absl::StrAppend(&words, "|");
  for (const FieldColumn& field : plan.fields) {
    absl::StrAppend(&words, field.field, "=", field.column, ",");
  }
  return absl::StrCat(words, "|", plan.record_key_column, "|", absl::StrJoin(plan.audiences, ","));
}

}  // namespace

void AddFileFlags(CLI::App* command, FileFlags* flags) {
  command->add_option("file", flags->file, "CSV or NDJSON, also .gz; - is standard input")
      ->required();
  command->add_option("--stream", flags->stream,
                      "Name of the durable stream; by default made from command and file");
  command->add_option("--format", flags->format, "csv or ndjson; by default by the file's ending")
      ->check(CLI::IsMember({"csv", "ndjson"}));
  command->add_option("--delimiter", flags->delimiter, "Of CSV; \\t is a tab")
      ->capture_default_str();
  command->add_option("--null", flags->null_text,
                      "CSV cells with this text are null; by default those without any text and "
                      "quotes");
  command->add_flag("--strict", flags->strict,
                    "Exit with 3 if rows were rejected, suppressed, ambiguous or not found");
}

void AddRowFlags(CLI::App* command, FileFlags* flags) {
  command->add_option("--identity", flags->identities,
                      "NAMESPACE=COLUMN, repeatable; by default columns named like a namespace");
  command->add_option("--row-number", flags->row_number,
                      "NAMESPACE whose identity is the row's number in the file, from 1");
  command->add_option("--map", flags->maps, "FIELD=COLUMN, repeatable");
  command->add_option("--event-time", flags->event_time, "Column: when the values became true");
  command->add_option("--record-key", flags->record_key, "Column: your own key of the row");
  command->add_flag("--skip-empty", flags->skip_empty,
                    "Empty cells leave what is stored alone; by default they are null");
}

absl::StatusOr<std::unique_ptr<RecordReader>> OpenFile(const FileFlags& flags) {
  ReadOptions options;
  options.null_text = flags.null_text;
  if (flags.format == "csv") options.format = FileFormat::kCsv;
  if (flags.format == "ndjson") options.format = FileFormat::kNdjson;
  const std::string delimiter = flags.delimiter == "\\t" ? "\t" : flags.delimiter;
  if (delimiter.size() != 1) return NotOneOf("--delimiter", flags.delimiter, "one character");
  options.delimiter = delimiter[0];
  return OpenRecords(flags.file, options);
}

absl::StatusOr<std::vector<std::string>> IdentityNamespaces(Session& session) {
  std::vector<std::string> ids;
  v1::ListIdentityNamespacesRequest request;
  request.set_parent(session.InstanceName());
  absl::Status listed =
      ForEachPage(session, &v1::InstanceService::Stub::ListIdentityNamespaces, request,
                  [&](const v1::ListIdentityNamespacesResponse& page) {
                    for (const auto& found : page.identity_namespaces()) {
                      ids.push_back(found.name().substr(found.name().rfind('/') + 1));
                    }
                  });
  if (!listed.ok()) return listed;
  return ids;
}

std::string ColumnOfNamespace(const RecordReader& reader, const std::string& name_space) {
  if (HasColumn(reader, name_space)) return name_space;
  for (const std::string& column : reader.columns()) {
    if (AttributeIdOf(column) == name_space) return column;
  }
  return "";
}

absl::StatusOr<std::vector<IdentityColumn>> IdentitiesOf(Session& session, const FileFlags& flags,
                                                         const RecordReader& reader) {
  std::vector<IdentityColumn> identities;
  for (const std::string& text : flags.identities) {
    auto pair = ParsePair("--identity", text);
    if (!pair.ok()) return pair.status();
    identities.push_back({pair->first, pair->second});
  }
  if (!flags.row_number.empty()) identities.push_back({flags.row_number, ""});
  if (!identities.empty()) return identities;
  auto namespaces = IdentityNamespaces(session);
  if (!namespaces.ok()) return namespaces.status();
  for (const std::string& id : *namespaces) {
    const std::string column = ColumnOfNamespace(reader, id);
    if (!column.empty()) identities.push_back({id, column});
  }
  if (!identities.empty()) return identities;
  return absl::InvalidArgumentError(
      absl::StrCat(flags.file,
                   ": no column is named like an identity namespace; give --identity "
                   "NAMESPACE=COLUMN or --row-number NAMESPACE. Its columns are ",
                   absl::StrJoin(reader.columns(), ", ")));
}

absl::StatusOr<RowPlan> PlanOf(Session& session, const FileFlags& flags,
                               const RecordReader& reader) {
  auto identities = IdentitiesOf(session, flags, reader);
  if (!identities.ok()) return identities.status();
  RowPlan plan;
  plan.identities = *identities;
  plan.event_time_column = flags.event_time;
  plan.record_key_column = flags.record_key;
  plan.skip_empty = flags.skip_empty;
  return plan;
}

absl::StatusOr<std::map<std::string, v1::AttributeType>> AttributeTypes(Session& session) {
  std::map<std::string, v1::AttributeType> types;
  v1::ListAttributesRequest request;
  request.set_parent(session.InstanceName());
  request.set_page_size(1'000);
  absl::Status status = ForEachPage(
      session, &v1::InstanceService::Stub::ListAttributes, request,
      [&](const v1::ListAttributesResponse& page) {
        for (const auto& attribute : page.attributes()) {
          types[attribute.name().substr(attribute.name().rfind('/') + 1)] = attribute.type();
        }
      });
  if (!status.ok()) return status;
  return types;
}

absl::StatusOr<std::vector<FieldColumn>> MappedFields(Session& session, const FileFlags& flags,
                                                      const v1::Destination& destination,
                                                      const RecordReader& reader) {
  auto types = AttributeTypes(session);
  if (!types.ok()) return types.status();
  std::map<std::string, std::string> columns;  // by source field
  for (const std::string& text : flags.maps) {
    auto pair = ParsePair("--map", text);
    if (!pair.ok()) return pair.status();
    columns.insert(*pair);
  }
  std::vector<FieldColumn> fields;
  for (const auto& mapping : destination.mappings()) {
    auto given = columns.find(mapping.source_field());
    if (given != columns.end()) {
      fields.push_back({mapping.source_field(), given->second, TypeOf(mapping, *types)});
      columns.erase(given);
    } else if (HasColumn(reader, mapping.source_field())) {
      fields.push_back({mapping.source_field(), mapping.source_field(), TypeOf(mapping, *types)});
    }
  }
  if (columns.empty()) return fields;
  return absl::InvalidArgumentError(absl::StrCat("--map: ", destination.name(), " does not map '",
                                                 columns.begin()->first,
                                                 "'; see `passerelle destinations get`"));
}

absl::StatusOr<std::string> StreamNameOf(const IngestJob& job, const FileFlags& flags,
                                         const RowPlan& plan, const std::string& rest,
                                         RecordReader& reader) {
  if (!flags.stream.empty()) return flags.stream;
  absl::StatusOr<uint32_t> sum = reader.file().Checksum();
  if (!sum.ok()) return sum.status();
  const std::string all =
      absl::StrCat(TimeOf(flags.file), "|", flags.file, "|", flags.delimiter, flags.null_text, "|",
                   absl::StrJoin(flags.identities, ","), "|", flags.row_number, "|",
                   absl::StrJoin(flags.maps, ","), "|", flags.event_time, "|", flags.skip_empty,
                   "|", job.target, "|", rest, "|", WordsOf(plan));
  std::string name = job.verb;
  if (!job.target.empty()) {
    const std::string id = job.target.substr(job.target.rfind('/') + 1);
    absl::StrAppend(&name, "-", ForStream(id, kMaxTargetLetters));
  }
  return absl::StrCat(name, "-", ForStream(StemOf(flags.file), kMaxStemLetters), "-",
                      absl::Hex(Mix(*sum, all), absl::kZeroPad8));
}

void TellNote(const Session& session, const std::string& note) {
  if (session.quiet()) return;
  std::cerr << (session.json() ? Json{{"note", note}}.dump() : note) << "\n";
}

void TellIgnoredColumns(const Session& session, const RowPlan& plan, const RecordReader& reader,
                        const std::string& why) {
  std::set<std::string> used = {plan.event_time_column, plan.record_key_column,
                                plan.audience_column, plan.status_column,
                                plan.qualification_time_column};
  for (const IdentityColumn& identity : plan.identities) used.insert(identity.column);
  for (const FieldColumn& field : plan.fields) used.insert(field.column);
  std::vector<std::string> ignored;
  for (const std::string& column : reader.columns()) {
    if (used.count(column) == 0) ignored.push_back(column);
  }
  if (ignored.empty()) return;
  TellNote(session,
           absl::StrCat("columns ignored: ", absl::StrJoin(ignored, ", "), " (", why, ")"));
}

}  // namespace passerelle::tools
