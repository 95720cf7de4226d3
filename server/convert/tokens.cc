#include "server/convert/tokens.h"

#include "absl/strings/escaping.h"
#include "server/convert/hash.h"
#include "server/convert/text.h"
#include "server/limits.h"

namespace passerelle {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::size_t kSignatureBytes = 16;
constexpr std::size_t kHeaderBytes = 6;  // version, kind, key id
constexpr std::size_t kFilterHashBytes = 16;
constexpr std::size_t kMaxDetail = 64;

// These numbers are on the wire: never changed, never used again.
enum class Kind : uint8_t { kExportCursor = 1, kMembers = 2, kPage = 3, kCommit = 4 };

KeyPurpose PurposeOf(Kind kind) {
  return kind == Kind::kPage ? KeyPurpose::kPageToken : KeyPurpose::kCursor;
}

class FieldWriter {
 public:
  void Number(uint64_t value) {
    while (value >= 0x80) {
      bytes_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    bytes_.push_back(static_cast<char>(value));
  }
  void Text(std::string_view text) {
    Number(text.size());
    bytes_.append(text);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Reads what FieldWriter wrote; after a failed read every later one fails too.
class FieldReader {
 public:
  explicit FieldReader(std::string_view bytes) : bytes_(bytes) {}

  uint64_t Number() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) return Fail();
      const auto byte = static_cast<uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
      if (shift == 63 && byte > 1) return Fail();
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    return Fail();
  }
  std::string Text() {
    const uint64_t size = Number();
    if (size > bytes_.size()) {
      Fail();
      return {};
    }
    const std::string text(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return text;
  }
  bool Finished() const { return !failed_ && bytes_.empty(); }

 private:
  uint64_t Fail() {
    failed_ = true;
    bytes_ = {};
    return 0;
  }
  std::string_view bytes_;
  bool failed_ = false;
};

std::string Sign(const std::string& key, std::string_view data) {
  const Sha256Digest mac = HmacSha256(key, data);
  return std::string(reinterpret_cast<const char*>(mac.data()), kSignatureBytes);
}

std::string Seal(const KeyRing& keys, Kind kind, const FieldWriter& fields) {
  const uint32_t id = keys.current_id();
  std::string bytes;
  bytes.push_back(static_cast<char>(kVersion));
  bytes.push_back(static_cast<char>(kind));
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(id >> shift));
  bytes += fields.bytes();
  bytes += Sign(*keys.FindSubkey(id, PurposeOf(kind)), bytes);
  return absl::WebSafeBase64Escape(bytes);
}

uint32_t KeyIdOf(std::string_view bytes) {
  uint32_t id = 0;
  for (std::size_t i = 2; i < kHeaderBytes; ++i) id = id << 8 | static_cast<uint8_t>(bytes[i]);
  return id;
}

// Checks text and signature; `fields` is what was sealed. The kind is compared after the signature,
// so that "other kind" is said of genuine tokens only.
TokenProblem Unseal(const KeyRing& keys, std::string_view text, Kind wanted, std::string* fields) {
  std::string bytes;
  if (text.empty() || text.size() > kMaxTokenBytes ||
      !absl::WebSafeBase64Unescape(AbslView(text), &bytes) ||
      absl::WebSafeBase64Escape(bytes) != text || bytes.size() < kHeaderBytes + kSignatureBytes) {
    return TokenProblem::kMalformed;
  }
  const auto version = static_cast<uint8_t>(bytes[0]);
  if (version == 0) return TokenProblem::kMalformed;
  if (version > kVersion) return TokenProblem::kNewerVersion;
  const auto kind = static_cast<Kind>(bytes[1]);
  if (kind < Kind::kExportCursor || kind > Kind::kCommit) return TokenProblem::kMalformed;
  const std::string* key = keys.FindSubkey(KeyIdOf(bytes), PurposeOf(kind));
  if (key == nullptr) return TokenProblem::kUnknownKey;
  const std::string_view all = bytes;
  const std::string_view signed_part = all.substr(0, all.size() - kSignatureBytes);
  if (!EqualInConstantTime(Sign(*key, signed_part), all.substr(signed_part.size()))) {
    return TokenProblem::kForged;
  }
  if (kind != wanted) return TokenProblem::kOtherKind;
  fields->assign(signed_part.substr(kHeaderBytes));
  return TokenProblem::kOk;
}

}  // namespace

std::string_view Describe(TokenProblem problem) {
  switch (problem) {
    case TokenProblem::kOk:
      return "fine";
    case TokenProblem::kMalformed:
      return "not a token of this service";
    case TokenProblem::kNewerVersion:
      return "made by a newer version of this service";
    case TokenProblem::kOtherKind:
      return "a token of another kind";
    case TokenProblem::kUnknownKey:
      return "signed with a key that this server does not hold";
    case TokenProblem::kForged:
      return "changed or made up: its signature does not fit";
    case TokenProblem::kOtherInstance:
      return "made for another instance";
    case TokenProblem::kOtherOwner:
      return "made for another resource or method";
    case TokenProblem::kOtherFilter:
      return "made for other arguments";
    case TokenProblem::kOtherEpoch:
      return "made before this store was restored from a backup";
  }
  return "unknown problem";
}

std::string TokenCodec::Encode(const ExportCursor& cursor) const {
  FieldWriter fields;
  fields.Text(cursor.instance);
  fields.Text(cursor.source);
  fields.Text(cursor.filter_hash);
  fields.Number(cursor.epoch);
  fields.Number(cursor.seq);
  return Seal(keys_, Kind::kExportCursor, fields);
}

std::string TokenCodec::Encode(const MembersToken& token) const {
  FieldWriter fields;
  fields.Text(token.instance);
  fields.Text(token.audience);
  fields.Number(token.epoch);
  fields.Number(token.seq);
  fields.Number(token.detail.size());
  for (const uint64_t number : token.detail) fields.Number(number);
  return Seal(keys_, Kind::kMembers, fields);
}

std::string TokenCodec::Encode(const PageToken& token) const {
  FieldWriter fields;
  fields.Text(token.kind);
  fields.Text(token.filter_hash);
  fields.Text(token.last_key);
  fields.Number(token.issue_time_us);
  return Seal(keys_, Kind::kPage, fields);
}

std::string TokenCodec::Encode(const CommitToken& token) const {
  FieldWriter fields;
  fields.Text(token.file);
  fields.Number(token.epoch);
  fields.Number(token.seq);
  return Seal(keys_, Kind::kCommit, fields);
}

TokenProblem TokenCodec::Decode(std::string_view text, ExportCursor* out) const {
  std::string fields;
  const TokenProblem problem = Unseal(keys_, text, Kind::kExportCursor, &fields);
  if (problem != TokenProblem::kOk) return problem;
  FieldReader reader(fields);
  ExportCursor cursor;
  cursor.instance = reader.Text();
  cursor.source = reader.Text();
  cursor.filter_hash = reader.Text();
  cursor.epoch = reader.Number();
  cursor.seq = reader.Number();
  if (!reader.Finished()) return TokenProblem::kMalformed;
  *out = std::move(cursor);
  return TokenProblem::kOk;
}

TokenProblem TokenCodec::Decode(std::string_view text, MembersToken* out) const {
  std::string fields;
  const TokenProblem problem = Unseal(keys_, text, Kind::kMembers, &fields);
  if (problem != TokenProblem::kOk) return problem;
  FieldReader reader(fields);
  MembersToken token;
  token.instance = reader.Text();
  token.audience = reader.Text();
  token.epoch = reader.Number();
  token.seq = reader.Number();
  const uint64_t count = reader.Number();
  if (count > kMaxDetail) return TokenProblem::kMalformed;
  for (uint64_t i = 0; i < count; ++i) token.detail.push_back(reader.Number());
  if (!reader.Finished()) return TokenProblem::kMalformed;
  *out = std::move(token);
  return TokenProblem::kOk;
}

TokenProblem TokenCodec::Decode(std::string_view text, PageToken* out) const {
  std::string fields;
  const TokenProblem problem = Unseal(keys_, text, Kind::kPage, &fields);
  if (problem != TokenProblem::kOk) return problem;
  FieldReader reader(fields);
  PageToken token;
  token.kind = reader.Text();
  token.filter_hash = reader.Text();
  token.last_key = reader.Text();
  token.issue_time_us = reader.Number();
  if (!reader.Finished()) return TokenProblem::kMalformed;
  *out = std::move(token);
  return TokenProblem::kOk;
}

TokenProblem TokenCodec::Decode(std::string_view text, CommitToken* out) const {
  std::string fields;
  const TokenProblem problem = Unseal(keys_, text, Kind::kCommit, &fields);
  if (problem != TokenProblem::kOk) return problem;
  FieldReader reader(fields);
  CommitToken token;
  token.file = reader.Text();
  token.epoch = reader.Number();
  token.seq = reader.Number();
  if (!reader.Finished()) return TokenProblem::kMalformed;
  *out = std::move(token);
  return TokenProblem::kOk;
}

TokenProblem CheckBinding(const ExportCursor& got, const ExportCursor& wanted) {
  if (got.instance != wanted.instance) return TokenProblem::kOtherInstance;
  if (got.source != wanted.source) return TokenProblem::kOtherOwner;
  if (got.filter_hash != wanted.filter_hash) return TokenProblem::kOtherFilter;
  return got.epoch == wanted.epoch ? TokenProblem::kOk : TokenProblem::kOtherEpoch;
}

TokenProblem CheckBinding(const MembersToken& got, const MembersToken& wanted) {
  if (got.instance != wanted.instance) return TokenProblem::kOtherInstance;
  if (got.audience != wanted.audience) return TokenProblem::kOtherOwner;
  return got.epoch == wanted.epoch ? TokenProblem::kOk : TokenProblem::kOtherEpoch;
}

TokenProblem CheckBinding(const PageToken& got, const PageToken& wanted) {
  if (got.kind != wanted.kind) return TokenProblem::kOtherOwner;
  return got.filter_hash == wanted.filter_hash ? TokenProblem::kOk : TokenProblem::kOtherFilter;
}

std::string FilterHash(const std::vector<std::string_view>& parts) {
  FieldWriter fields;
  for (const std::string_view part : parts) fields.Text(part);
  const Sha256Digest digest = Sha256(fields.bytes());
  return std::string(reinterpret_cast<const char*>(digest.data()), kFilterHashBytes);
}

}  // namespace passerelle
