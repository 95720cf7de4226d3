// Puts the failing disk of io_faults under passerelled_faults when its environment asks for it:
//
//   PASSERELLE_IO_FAULT=sync:5              the 5th sync fails
//   PASSERELLE_IO_FAULT=write:9:for-ever    every write from the 9th on fails
//   PASSERELLE_IO_FAULT=any:35              the 35th call, whatever it is
//   PASSERELLE_IO_ROOT=path                 among the calls on files below this folder
//
// When the fault is met, "fired" is appended to PASSERELLE_FAULT_LOG, if there is one.
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/crash/io_faults/io_layer.h"

namespace passerelle::crash {
namespace {

[[noreturn]] void Refuse(const std::string& text) {
  const std::string line = absl::StrCat("PASSERELLE_IO_FAULT: got '", text,
                                        "', wanted sync|write|any:N or sync|write|any:N:for-ever, "
                                        "and PASSERELLE_IO_ROOT\n");
  static_cast<void>(!write(STDERR_FILENO, line.data(), line.size()));
  abort();
}

void NoteFired() {
  constexpr std::string_view kLine = "fired\n";
  const char* const path = getenv("PASSERELLE_FAULT_LOG");
  if (path == nullptr || *path == '\0') return;
  const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, kLine.data(), kLine.size()) < 0) Refuse("a log that cannot be written");
  close(fd);
}

IoFault Parse(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  IoFault fault;
  const bool good = (parts.size() == 2 || (parts.size() == 3 && parts[2] == "for-ever")) &&
                    (parts[0] == "sync" || parts[0] == "write" || parts[0] == "any") &&
                    absl::SimpleAtoi(parts[1], &fault.nth) && fault.nth > 0;
  if (!good) Refuse(text);
  fault.for_ever = parts.size() == 3;
  fault.met = NoteFired;
  if (parts[0] == "sync") fault.only = IoCall::kSync;
  if (parts[0] == "write") fault.only = IoCall::kWrite;
  return fault;
}

// Before main, and so before the first database is opened.
const bool under_test = [] {
  const char* const text = getenv("PASSERELLE_IO_FAULT");
  if (text == nullptr || *text == '\0') return false;
  const char* const root = getenv("PASSERELLE_IO_ROOT");
  if (root == nullptr || *root == '\0') Refuse(text);
  UseShimVfs();
  IoLayer::Get().Begin(root, Parse(text), /*traced=*/false);
  return true;
}();

}  // namespace
}  // namespace passerelle::crash
