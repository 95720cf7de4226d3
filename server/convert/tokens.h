// Opaque tokens: positions that a caller keeps and brings back. A token is base64url text (no
// padding) over: version, kind, key id, fields, and the first 16 bytes of HMAC-SHA256 over all of
// these. Whoever changes one byte, or makes one up, is found out. Tokens are signed, not secret:
// they hold positions and names of resources, never personal data.
//
// Pure and safe on any thread. Decoding never throws, whatever the text. Tokens made with an older
// key of the ring stay valid.
#ifndef PASSERELLE_SERVER_CONVERT_TOKENS_H_
#define PASSERELLE_SERVER_CONVERT_TOKENS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/convert/keys.h"

namespace passerelle {

// A position in an export of logs: everything up to and including `seq` was sent. `source` is
// empty for an ad hoc export. `filter_hash` covers kinds, deliveries, audiences and time range, not
// the field list. `epoch` is the store's: it changes when a backup is restored.
struct ExportCursor {
  std::string instance;
  std::string source;
  std::string filter_hash;
  uint64_t epoch = 0;
  uint64_t seq = 0;
};

// The end of a stream of members, or a place within one: membership is that of change sequence
// `seq`. `detail` belongs to the stream that made it (positions within, shape of the request).
struct MembersToken {
  std::string instance;
  std::string audience;
  uint64_t epoch = 0;
  uint64_t seq = 0;
  std::vector<uint64_t> detail;
};

// Where the next page of a list starts: after `last_key`. `kind` names the method; `filter_hash`
// covers every argument that the next call has to repeat.
struct PageToken {
  std::string kind;
  std::string filter_hash;
  std::string last_key;
  uint64_t issue_time_us = 0;  // since the Unix epoch, so that a service can let pages expire
};

// What was durable when a write answered. `file` names the store file that took the write.
struct CommitToken {
  std::string file;
  uint64_t epoch = 0;
  uint64_t seq = 0;
};

enum class TokenProblem : uint8_t {
  kOk,
  kMalformed,      // not the text of any token
  kNewerVersion,   // a version that this server does not read
  kOtherKind,      // a genuine token of another kind
  kUnknownKey,     // signed with a key that the ring does not hold
  kForged,         // the signature does not fit
  kOtherInstance,  // made for another instance
  kOtherOwner,     // made for another source or audience, or another list method
  kOtherFilter,    // made for other arguments
  kOtherEpoch,     // made before the store was restored from a backup
};

// The tail of an error text that names the field first: "made for another instance".
std::string_view Describe(TokenProblem problem);

class TokenCodec {
 public:
  explicit TokenCodec(KeyRing keys) : keys_(std::move(keys)) {}

  std::string Encode(const ExportCursor& cursor) const;
  std::string Encode(const MembersToken& token) const;
  std::string Encode(const PageToken& token) const;
  std::string Encode(const CommitToken& token) const;

  // `out` is written only when the answer is kOk. At most kMaxTokenBytes of text are read. The
  // answers end at kForged: what a token is bound to is compared by CheckBinding below.
  TokenProblem Decode(std::string_view text, ExportCursor* out) const;
  TokenProblem Decode(std::string_view text, MembersToken* out) const;
  TokenProblem Decode(std::string_view text, PageToken* out) const;
  TokenProblem Decode(std::string_view text, CommitToken* out) const;

 private:
  KeyRing keys_;
};

// Whether `got` may be used where `wanted` is served: same instance, owner (source, audience, or
// kind of list), filter and epoch, asked in this order. Positions are not compared.
TokenProblem CheckBinding(const ExportCursor& got, const ExportCursor& wanted);
TokenProblem CheckBinding(const MembersToken& got, const MembersToken& wanted);
TokenProblem CheckBinding(const PageToken& got, const PageToken& wanted);

// Sixteen bytes that stand for a list of arguments; the order and the borders between the parts
// count ("ab","c" differs from "a","bc").
std::string FilterHash(const std::vector<std::string_view>& parts);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_CONVERT_TOKENS_H_
