#include "tools/passerelle/profile.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace passerelle::tools {
namespace {

constexpr char kProfiles[] = "profiles";
constexpr char kDefault[] = "default_profile";

struct ConfigFile {
  std::string default_profile;
  std::map<std::string, std::vector<CLI::ConfigItem>> profiles;
};

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

absl::Status Problem(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(ConfigPath(), ": ", what));
}

// "profiles.shop.address"
std::string FullName(const CLI::ConfigItem& item) {
  std::vector<std::string> names = item.parents;
  names.push_back(item.name);
  return absl::StrJoin(names, ".");
}

absl::StatusOr<ConfigFile> Sorted(std::vector<CLI::ConfigItem> items) {
  ConfigFile file;
  for (CLI::ConfigItem& item : items) {
    const bool in_profile = item.parents.size() == 2 && item.parents[0] == kProfiles;
    if (item.name == "++" || item.name == "--") {  // a section begins or ends
      if (in_profile) file.profiles[item.parents[1]];
      continue;
    }
    if (item.inputs.size() != 1) {
      return Problem(absl::StrCat(FullName(item), ": wanted one text in quotes, without commas"));
    }
    if (in_profile) {
      file.profiles[item.parents[1]].push_back(std::move(item));
    } else if (item.parents.empty() && item.name == kDefault) {
      file.default_profile = item.inputs[0];
    } else {
      return Problem(absl::StrCat("unknown setting ", FullName(item), ", wanted ", kDefault,
                                  " and sections [", kProfiles, ".NAME]"));
    }
  }
  return file;
}

// None: there is no file.
absl::StatusOr<std::optional<ConfigFile>> ReadConfig() {
  std::ifstream stream(ConfigPath());
  if (!stream) return std::optional<ConfigFile>();
  absl::StatusOr<ConfigFile> file = Sorted(CLI::ConfigTOML().from_config(stream));
  if (!file.ok()) return file.status();
  return std::optional<ConfigFile>(*std::move(file));
}

std::string InFolderOfConfig(const std::string& path) {
  return (std::filesystem::path(ConfigPath()).parent_path() / path).string();
}

absl::Status Take(const CLI::ConfigItem& item, Profile* profile) {
  const std::string& value = item.inputs[0];
  const std::map<std::string, std::string*> texts = {{"address", &profile->address},
                                                     {"instance", &profile->instance}};
  const std::map<std::string, std::string*> paths = {{"key_file", &profile->security.key_file},
                                                     {"tls_ca", &profile->security.tls_ca},
                                                     {"tls_cert", &profile->security.tls_cert},
                                                     {"tls_key", &profile->security.tls_key}};
  if (const auto text = texts.find(item.name); text != texts.end()) {
    *text->second = value;
  } else if (const auto path = paths.find(item.name); path != paths.end()) {
    const bool is_word = item.name == "tls_ca" && value == "system";
    *path->second = is_word || value.empty() ? value : InFolderOfConfig(value);
  } else if (item.name == "key") {
    return Problem(absl::StrCat(FullName(item),
                                ": an API key does not belong here; put it in a "
                                "file (mode 0600) and name that as key_file"));
  } else {
    return Problem(absl::StrCat("unknown setting ", FullName(item),
                                ", wanted address, instance, key_file, tls_ca, tls_cert, tls_key"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string ConfigPath() {
  if (const std::string named = Variable("PASSERELLE_CONFIG"); !named.empty()) return named;
  const std::string folder = Variable("XDG_CONFIG_HOME");
  const std::string base = folder.empty() ? Variable("HOME") + "/.config" : folder;
  return base + "/passerelle/config.toml";
}

absl::StatusOr<Profile> ReadProfile(const std::string& name) {
  const absl::StatusOr<std::optional<ConfigFile>> file = ReadConfig();
  if (!file.ok()) return file.status();
  if (!file->has_value()) {
    const bool wanted = !name.empty() || !Variable("PASSERELLE_CONFIG").empty();
    if (!wanted) return Profile();
    return Problem(absl::StrCat("cannot be read",
                                name.empty() ? " (PASSERELLE_CONFIG)" : ", so there is no profile ",
                                name));
  }
  const std::string& chosen = name.empty() ? (*file)->default_profile : name;
  Profile profile;
  if (chosen.empty()) return profile;
  const auto found = (*file)->profiles.find(chosen);
  if (found == (*file)->profiles.end()) {
    return Problem(absl::StrCat("has no profile ", chosen, " ([", kProfiles, ".", chosen, "])"));
  }
  for (const CLI::ConfigItem& item : found->second) {
    if (absl::Status status = Take(item, &profile); !status.ok()) return status;
  }
  return profile;
}

}  // namespace passerelle::tools
