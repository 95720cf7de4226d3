#include "server/convert/keys.h"

#include <openssl/rand.h>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/convert/hash.h"
#include "server/convert/text.h"
#include "server/private_file.h"

namespace passerelle {
namespace {

constexpr std::size_t kMaxKeys = 64;
constexpr std::size_t kMasterHexDigits = 64;
constexpr std::size_t kIdHexDigits = 8;
constexpr std::string_view kPurposeNames[kKeyPurposeCount] = {
    "cursor", "page_token", "record_key", "suppression", "tombstone", "audit", "secret", "receipt"};
constexpr char kHeader[] =
    "# Passerelle master keys: the first signs, all verify. Keep this file private (mode 0600) "
    "and\n"
    "# back it up apart from the data.\n";

absl::Status LineProblem(std::size_t line, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", AbslView(what)));
}

bool IsHex(std::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isxdigit(c)) return false;
  }
  return !text.empty();
}

absl::StatusOr<std::string> NewKeyFileText() {
  std::string bytes(4 + 32, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) !=
      1) {
    return absl::InternalError("no random bytes for a new master key");
  }
  return absl::StrCat(kHeader, "key ", absl::BytesToHexString(bytes.substr(0, 4)), " ",
                      absl::BytesToHexString(bytes.substr(4)), "\n");
}

}  // namespace

absl::StatusOr<KeyRing> KeyRing::OpenOrCreate(const std::string& path) {
  const PrivateFile file{path, "key file", "the master key file", "--key-file"};
  auto text = file.Read();
  if (!text.ok()) return text.status();
  if (!text->has_value()) {
    const absl::StatusOr<std::string> made = NewKeyFileText();
    if (!made.ok()) return made.status();
    if (absl::Status status = file.Create(*made); !status.ok()) return status;
    text = file.Read();
    if (!text.ok()) return text.status();
  }
  absl::StatusOr<KeyRing> ring = Parse(text->value_or(""));
  if (ring.ok()) return ring;
  return absl::FailedPreconditionError(
      absl::StrCat("key file ", path, ": ", std::string(ring.status().message()),
                   "; put the master key file of this store back"));
}

absl::StatusOr<KeyRing> KeyRing::Parse(std::string_view text) {
  KeyRing ring;
  std::size_t number = 0;
  for (const absl::string_view line : absl::StrSplit(AbslView(text), '\n')) {
    ++number;
    const std::string_view content = TrimAscii(StdView(line));
    if (content.empty() || content.front() == '#') continue;
    const std::vector<std::string> words =
        absl::StrSplit(AbslView(content), absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.size() != 3 || words[0] != "key" || words[1].size() != kIdHexDigits ||
        !IsHex(words[1]) || words[2].size() != kMasterHexDigits || !IsHex(words[2])) {
      return LineProblem(number, "wanted: key, an id of 8 hex digits, 64 hex digits");
    }
    Key key;
    if (!absl::SimpleHexAtoi(words[1], &key.id)) return LineProblem(number, "malformed id");
    if (ring.FindSubkey(key.id, KeyPurpose::kCursor) != nullptr) {
      return LineProblem(number, "this key id appears twice");
    }
    const std::string master = absl::HexStringToBytes(words[2]);
    for (std::size_t i = 0; i < kKeyPurposeCount; ++i) {
      const Sha256Digest subkey = HkdfSha256({master, "passerelle", kPurposeNames[i]});
      key.subkeys[i].assign(subkey.begin(), subkey.end());
    }
    if (ring.keys_.size() == kMaxKeys) return LineProblem(number, "more than 64 keys");
    ring.keys_.push_back(std::move(key));
  }
  if (ring.keys_.empty()) return absl::InvalidArgumentError("no key in it, wanted one");
  return ring;
}

std::vector<uint32_t> KeyRing::ids() const {
  std::vector<uint32_t> ids;
  for (const Key& key : keys_) ids.push_back(key.id);
  return ids;
}

const std::string* KeyRing::FindSubkey(uint32_t id, KeyPurpose purpose) const {
  for (const Key& key : keys_) {
    if (key.id == id) return &key.subkeys[static_cast<std::size_t>(purpose)];
  }
  return nullptr;
}

}  // namespace passerelle
