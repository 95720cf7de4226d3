#include "server/keys_command.h"

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "server/convert/keys.h"
#include "server/convert/signature.h"
#include "server/convert/store_subkeys.h"
#include "server/options.h"
#include "storage/status.h"

namespace passerelle {
namespace {

absl::StatusOr<std::string> PathOf(const KeysFlags& flags) {
  if (flags.key_file.empty() && flags.data.empty()) {
    return absl::InvalidArgumentError("wanted --key-file FILE or --data DATA");
  }
  Options options;
  options.key_file = flags.key_file;
  options.data = flags.data;
  return options.EffectiveKeyFile();
}

std::string PublicKeyOf(const KeyRing& ring, uint32_t id) {
  const std::string* seed = ring.FindSubkey(id, KeyPurpose::kReceipt);
  return absl::BytesToHexString(SignText(*seed, "").public_key);
}

nlohmann::ordered_json JsonOf(const std::string& path, const KeyRing& ring) {
  nlohmann::ordered_json told;
  told["key_file"] = path;
  for (const uint32_t id : ring.ids()) {
    nlohmann::ordered_json key;
    key["id"] = KeyIdText(id);
    key["signs"] = id == ring.current_id();
    key["receipt_public_key"] = PublicKeyOf(ring, id);
    told["keys"].push_back(std::move(key));
  }
  return told;
}

void Tell(const KeysFlags& flags, const std::string& path, const KeyRing& ring, std::ostream& out) {
  const nlohmann::ordered_json told = JsonOf(path, ring);
  if (flags.json) {
    out << told.dump() << "\n";
    return;
  }
  for (const auto& key : told["keys"]) {
    out << key["id"].get<std::string>()
        << (key["signs"].get<bool>() ? "  signs, verifies" : "  verifies       ")
        << "  public key of receipts " << key["receipt_public_key"].get<std::string>() << "\n";
  }
}

}  // namespace

absl::Status ListKeys(const KeysFlags& flags, std::ostream& out) {
  ASSIGN_OR_RETURN(const std::string path, PathOf(flags));
  ASSIGN_OR_RETURN(const KeyRing ring, KeyRing::Open(path));
  Tell(flags, path, ring, out);
  return absl::OkStatus();
}

absl::Status RotateKeys(const KeysFlags& flags, std::ostream& out) {
  ASSIGN_OR_RETURN(const std::string path, PathOf(flags));
  ASSIGN_OR_RETURN(const KeyRing ring, KeyRing::Rotate(path));
  Tell(flags, path, ring, out);
  if (flags.json) return absl::OkStatus();
  out << path
      << ": a new key is first. A server that runs goes on with the keys it has read; restart "
      << "it to sign with the new one.\nKeep the old keys: tokens, suppressions, tombstones, the "
         "audit "
      << "trail and what is encrypted need those they were made with. Copy the file to where its "
      << "backup lies.\n";
  return absl::OkStatus();
}

}  // namespace passerelle
