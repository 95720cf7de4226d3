// What import, sync, push, replace and logs append share: the file's options, the stream's name,
// the run with its progress, and what is told at the end.
#ifndef PASSERELLE_TOOLS_FILE_INGEST_H_
#define PASSERELLE_TOOLS_FILE_INGEST_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "passerelle/ingest.h"
#include "tools/passerelle/records/file_rows.h"
#include "tools/passerelle/records/record_reader.h"
#include "tools/passerelle/session.h"

namespace passerelle::tools {

struct FileFlags {
  std::string file;
  std::string stream;
  std::string format;
  std::string delimiter = ",";
  std::string null_text;
  bool strict = false;
  // Rows about profiles only.
  std::vector<std::string> identities;  // NS=COLUMN
  std::string row_number;               // a namespace
  std::vector<std::string> maps;        // FIELD=COLUMN
  std::string event_time;
  std::string record_key;
  bool skip_empty = false;
};

// FILE, --stream, --format, --delimiter, --null, --strict.
void AddFileFlags(CLI::App* command, FileFlags* flags);
// --identity, --row-number, --map, --event-time, --record-key, --skip-empty.
void AddRowFlags(CLI::App* command, FileFlags* flags);

// Opens the file as its options say.
absl::StatusOr<std::unique_ptr<RecordReader>> OpenFile(const FileFlags& flags);

// The identities of the rows: as given, or the columns that have a namespace's name.
absl::StatusOr<std::vector<IdentityColumn>> IdentitiesOf(Session& session, const FileFlags& flags,
                                                         const RecordReader& reader);
// A plan with the identities and the columns that the flags name; no fields.
absl::StatusOr<RowPlan> PlanOf(Session& session, const FileFlags& flags,
                               const RecordReader& reader);

// The types of the instance's attributes, by id.
absl::StatusOr<std::map<std::string, v1::AttributeType>> AttributeTypes(Session& session);

// The fields of a destination that the file has columns for: those of --map, or the source fields
// that are columns.
absl::StatusOr<std::vector<FieldColumn>> MappedFields(Session& session, const FileFlags& flags,
                                                      const v1::Destination& destination,
                                                      const RecordReader& reader);

// What a run is called.
struct IngestJob {
  std::string verb;    // "import"
  std::string target;  // the destination's id; empty: the instance
};

// --stream, or a name made from the job, the file's name, content and time, what its columns are
// found to be, and the rest of the command line: the same command on the same file goes on, another
// begins anew, and so does the same one when more columns have become fields. At most 63 letters.
absl::StatusOr<std::string> StreamNameOf(const IngestJob& job, const FileFlags& flags,
                                         const RowPlan& plan, const std::string& rest,
                                         RecordReader& reader);

// Tells on standard error, unless quiet, which columns the plan does not use: "columns ignored: a,
// b
// (`why`)". Says nothing when it uses all.
void TellIgnoredColumns(const Session& session, const RowPlan& plan, const RecordReader& reader,
                        const std::string& why);
// One line on standard error, with --json as {"note": ...}; nothing when quiet.
void TellNote(const Session& session, const std::string& note);

// The column that has a namespace's name, letter by letter or as AttributeIdOf reads it; empty:
// none.
std::string ColumnOfNamespace(const RecordReader& reader, const std::string& name_space);
// The ids of the instance's identity namespaces.
absl::StatusOr<std::vector<std::string>> IdentityNamespaces(Session& session);

// Runs the loop with progress and prints what became of the rows. `run` makes the call.
absl::Status RunIngest(
    Session& session, const IngestJob& job, const FileFlags& flags, const std::string& stream,
    RecordReader& reader,
    const std::function<client::IngestResult(client::Client&, const client::IngestOptions&)>& run);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_FILE_INGEST_H_
