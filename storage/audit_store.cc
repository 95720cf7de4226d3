#include "storage/audit_store.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace passerelle::storage {
namespace {

constexpr char kControl[] = "control";
constexpr char kInstances[] = "instances/";
constexpr char kProfiles[] = "/profiles";
constexpr char kLogs[] = "/logs";

}  // namespace

std::string NameOf(const AuditChain& chain) {
  if (chain.file == AuditFile::kControl) return kControl;
  const char* file = chain.file == AuditFile::kProfiles ? kProfiles : kLogs;
  return absl::StrCat(kInstances, chain.instance, file);
}

std::optional<AuditChain> AuditChainNamed(std::string_view name) {
  if (name == kControl) return AuditChain{};
  absl::string_view rest(name.data(), name.size());
  if (!absl::ConsumePrefix(&rest, kInstances)) return std::nullopt;
  AuditChain chain;
  if (absl::ConsumeSuffix(&rest, kProfiles)) {
    chain.file = AuditFile::kProfiles;
  } else if (absl::ConsumeSuffix(&rest, kLogs)) {
    chain.file = AuditFile::kLogs;
  } else {
    return std::nullopt;
  }
  chain.instance = std::string(rest);
  if (chain.instance.empty() || rest.find('/') != absl::string_view::npos) return std::nullopt;
  return chain;
}

}  // namespace passerelle::storage
