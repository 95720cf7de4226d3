// The command line's config file: named profiles of servers, so that neither addresses nor the
// paths of keys need be typed.
//
//   default_profile = "shop"
//   [profiles.shop]
//   address = "cdp.example.com:7701"
//   instance = "shop"
//   key_file = "shop.key"      # relative to the folder of the config file, as the next ones
//   tls_ca = "ca.pem"
//   tls_cert = "client.pem"
//   tls_key = "client.key"
#ifndef PASSERELLE_TOOLS_PROFILE_H_
#define PASSERELLE_TOOLS_PROFILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "passerelle/security.h"

namespace passerelle::tools {

struct Profile {
  std::string address;
  std::string instance;
  client::Security security;
};

// $PASSERELLE_CONFIG, else $XDG_CONFIG_HOME/passerelle/config.toml, else
// ~/.config/passerelle/config.toml.
std::string ConfigPath();

// The profile `name` of the config file; empty: its default_profile, and without a file or a
// default a profile that says nothing. INVALID_ARGUMENT naming file, profile and setting for a file
// that cannot be read (if $PASSERELLE_CONFIG or a profile is named), a profile that is not there,
// and a setting that is unknown; an API key itself (`key`) is refused, because files of settings
// travel.
absl::StatusOr<Profile> ReadProfile(const std::string& name);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_PROFILE_H_
