#include "server/convert/keys.h"

#include <openssl/rand.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/convert/hash.h"
#include "server/convert/text.h"
#include "server/private_file.h"
#include "storage/status.h"

namespace passerelle {
namespace {

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

PrivateFile FileAt(const std::string& path) {
  return {path, "key file", "the master key file", "--key-file"};
}

// What is wrong with the content, with where it is.
absl::StatusOr<KeyRing> ParseAt(const std::string& path, std::string_view text) {
  absl::StatusOr<KeyRing> ring = KeyRing::Parse(text);
  if (ring.ok()) return ring;
  return absl::FailedPreconditionError(
      absl::StrCat("key file ", path, ": ", std::string(ring.status().message()),
                   "; put the master key file of this store back"));
}

// One line, its end included.
absl::StatusOr<std::string> NewKeyLine() {
  std::string bytes(4 + 32, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) !=
      1) {
    return absl::InternalError("no random bytes for a new master key");
  }
  return absl::StrCat("key ", absl::BytesToHexString(bytes.substr(0, 4)), " ",
                      absl::BytesToHexString(bytes.substr(4)), "\n");
}

// Where the line of the first key begins.
std::size_t FirstKeyAt(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view content = TrimAscii(text.substr(at, end - at));
    if (!content.empty() && content.front() != '#') break;
    at = end + 1;
  }
  return std::min(at, text.size());
}

absl::StatusOr<std::string> WithNewKey(const std::string& path, const std::string& text) {
  ASSIGN_OR_RETURN(const KeyRing present, ParseAt(path, text));
  if (present.ids().size() >= kMaxKeys) {
    return absl::FailedPreconditionError(
        absl::StrCat("key file ", path, ": holds ", kMaxKeys,
                     " keys already, the most there may be; "
                     "remove lines of keys that nothing needs any more"));
  }
  ASSIGN_OR_RETURN(const std::string line, NewKeyLine());
  const std::size_t at = FirstKeyAt(text);
  std::string edited = absl::StrCat(text.substr(0, at), line, text.substr(at));
  RETURN_IF_ERROR(ParseAt(path, edited).status());
  return edited;
}

}  // namespace

absl::StatusOr<KeyRing> KeyRing::OpenOrCreate(const std::string& path) {
  const PrivateFile file = FileAt(path);
  auto text = file.Read();
  if (!text.ok()) return text.status();
  if (!text->has_value()) {
    const absl::StatusOr<std::string> line = NewKeyLine();
    if (!line.ok()) return line.status();
    if (absl::Status status = file.Create(absl::StrCat(kHeader, *line)); !status.ok()) {
      return status;
    }
    text = file.Read();
    if (!text.ok()) return text.status();
  }
  return ParseAt(path, text->value_or(""));
}

absl::StatusOr<KeyRing> KeyRing::Rotate(const std::string& path) {
  std::string written;
  const auto edit = [&](const std::string& text) -> absl::StatusOr<std::string> {
    ASSIGN_OR_RETURN(written, WithNewKey(path, text));
    return written;
  };
  RETURN_IF_ERROR(FileAt(path).Edit(edit));
  return ParseAt(path, written);
}

absl::StatusOr<KeyRing> KeyRing::Open(const std::string& path) {
  ASSIGN_OR_RETURN(const std::optional<std::string> text, FileAt(path).Read());
  if (text.has_value()) return ParseAt(path, *text);
  return absl::FailedPreconditionError(absl::StrCat(
      "key file ", path, ": nothing is there; the server makes it at its first start"));
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
