#include "server/advisories.h"

#include <array>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace passerelle {
namespace {

using storage::Finding;
using storage::Severity;

using Version = std::array<int, 3>;

struct Advisory {
  const char* cve;
  Version fixed;
  const char* effect;
  const char* prevented = nullptr;  // by what this server does about it
};

// Of the server side, by the release that has the fix; patch releases of older lines are below.
constexpr Advisory kAdvisories[] = {
    {"CVE-2023-1428", {1, 53, 0}, "odd headers of more than 8 KB can end the process"},
    {"CVE-2023-32731",
     {1, 53, 0},
     "after a header that is too large, a proxy's other clients can be given wrong headers"},
    {"CVE-2023-32732", {1, 53, 0}, "a malformed binary header ends the whole connection"},
    {"CVE-2023-33953", {1, 56, 2}, "headers can take up to 4 GB of memory and much processor time"},
    {"CVE-2023-4785",
     {1, 56, 2},
     "many connections can use up all file descriptors",
     "this server accepts connections itself, at most --max-connections of them, for which there "
     "are descriptors"},
    {"CVE-2023-44487",
     {1, 60, 0},
     "streams that are opened and reset in a hurry take all of a core"},
};

// Releases of older lines that have the fixes of 2023.
constexpr Version kPatched[] = {{1, 53, 2}, {1, 54, 3}, {1, 55, 3}};

bool IsPatched(const Version& version, const Advisory& advisory) {
  if (version >= advisory.fixed) return true;
  if (advisory.fixed != Version{1, 56, 2}) return false;
  for (const Version& patched : kPatched) {
    if (version[1] == patched[1] && version >= patched) return true;
  }
  return false;
}

bool ReadVersion(const std::string& text, Version* version) {
  const std::vector<std::string> parts = absl::StrSplit(text, '.');
  if (parts.size() != version->size()) return false;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!absl::SimpleAtoi(parts[i].substr(0, parts[i].find('-')), &(*version)[i])) return false;
  }
  return true;
}

std::string ReleaseWithFix(const Advisory& advisory) {
  return absl::StrCat("gRPC ", advisory.fixed[0], ".", advisory.fixed[1], ".", advisory.fixed[2],
                      " has the fix");
}

Finding Note(std::string what, std::string advice) {
  Finding finding;
  finding.severity = Severity::kNote;
  finding.check = "gRPC";
  finding.what = std::move(what);
  finding.advice = std::move(advice);
  return finding;
}

Finding NoteOf(const std::string& version, const Advisory& advisory) {
  const std::string what =
      absl::StrCat("gRPC ", version, ", ", advisory.cve, ": ", advisory.effect);
  if (advisory.prevented != nullptr) {
    return Note(absl::StrCat(what, ". It is prevented here: ", advisory.prevented),
                absl::StrCat("nothing; ", ReleaseWithFix(advisory)));
  }
  return Note(absl::StrCat(what, ". It matters only if those who can connect are not trusted"),
              absl::StrCat("keep the listener on this machine, behind a current proxy; ",
                           ReleaseWithFix(advisory)));
}

}  // namespace

std::vector<Finding> GrpcAdvisories(const std::string& version) {
  Version present{};
  if (!ReadVersion(version, &present)) {
    return {Note(absl::StrCat("gRPC calls itself '", version, "': its advisories are not known"),
                 "look them up")};
  }
  std::vector<Finding> findings;
  for (const Advisory& advisory : kAdvisories) {
    if (!IsPatched(present, advisory)) findings.push_back(NoteOf(version, advisory));
  }
  return findings;
}

}  // namespace passerelle
