// Rows written one by one, as CSV or NDJSON, to a file or standard output. Not thread-safe.
#ifndef PASSERELLE_TOOLS_ROW_OUTPUT_H_
#define PASSERELLE_TOOLS_ROW_OUTPUT_H_

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/passerelle/output.h"
#include "tools/passerelle/session.h"

namespace passerelle::tools {

class RowOutput {
 public:
  enum class Format { kCsv, kNdjson };
  enum class Mode {
    kGoOn,      // an existing file is gone on with, and has its header already
    kBeginNew,  // what the file held goes when the columns are known, so not for a call that fails
    kReplace,   // rows go to `path`.part, which takes the file's place in Commit
  };
  struct Target {
    std::string path;  // empty: standard output
    Format format = Format::kCsv;
    Mode mode = Mode::kGoOn;
    // Of kGoOn: the bytes that count; what a killed run wrote after them is cut off. -1: all whole
    // lines.
    int64_t keep_bytes = -1;
    // CSV texts that a spreadsheet takes for a formula (= + - @ first) get a ' before them.
    bool spreadsheet_safe = false;
  };

  // FAILED_PRECONDITION if the file is shorter than keep_bytes, unless it is empty: then it begins
  // anew. What is no plain file (a pipe, a device) is written as it is, whatever the mode.
  static absl::StatusOr<std::unique_ptr<RowOutput>> Open(const Target& target);
  ~RowOutput();
  RowOutput(const RowOutput&) = delete;
  RowOutput& operator=(const RowOutput&) = delete;

  // Names the columns; CSV gets its header. Once, before the first row.
  void SetColumns(std::vector<std::string> columns);
  // One value for each column. In CSV null is an empty cell; lists are JSON.
  void Write(const std::vector<Json>& values);
  // Everything written is on its way to the disk, or the status says why not.
  absl::Status Flush();
  // Flushes, and with kReplace puts the rows in the file's place.
  absl::Status Commit();
  // Where the rows are that were not committed; empty: nowhere.
  std::string Left() const;
  // Bytes of the file so far.
  int64_t size() const;

 private:
  RowOutput(std::FILE* file, const Target& target, bool has_header)
      : file_(file), target_(target), format_(target.format), has_header_(has_header) {}
  std::string PartPath() const { return target_.path + ".part"; }

  std::FILE* const file_;
  const Target target_;
  const Format format_;
  bool wrote_ = false;
  bool committed_ = false;
  bool has_header_;
  std::vector<std::string> columns_;
  std::string line_;
};

// "csv" or "ndjson"; empty: by the ending of `path`, or else CSV (NDJSON with --json).
absl::StatusOr<RowOutput::Format> RowFormatOf(const std::string& format, const std::string& path,
                                              bool json);

// Tells on standard error where rows are that did not get to `path`; nothing when they did.
void TellLeft(const Session& session, const RowOutput& output, const std::string& path);

inline constexpr char kSpreadsheetSafeWords[] =
    "CSV texts that begin with = + - @ get a ' before them, so that a spreadsheet does not "
    "calculate them";

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_ROW_OUTPUT_H_
