// Normalisation of identity values and the transforms of field mappings: what a caller sends
// becomes the one spelling that the store keeps and looks up.
//
// Pure: no clock, no I/O, no logging, safe on any thread. Every function reads a view, writes to a
// string whose capacity is reused, and answers with a typed reason; it never throws and never
// shows the value. When the answer is not kOk, `out` is unspecified.
#ifndef PASSERELLE_SERVER_CONVERT_NORMALIZE_H_
#define PASSERELLE_SERVER_CONVERT_NORMALIZE_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace passerelle {

enum class ValueProblem : uint8_t {
  kOk,
  kEmpty,           // nothing left after trimming
  kNotUtf8,         // not well-formed UTF-8
  kNul,             // holds U+0000
  kTooLong,         // more bytes than the limit of its kind
  kNan,             // a double that is not a number
  kMalformedEmail,  // not one local part, one @, one domain with a dot
  kMalformedPhone,  // libphonenumber cannot read it, or no number has that length
  kMalformedHash,   // not 64 hex digits
  kMalformedEcid,   // not 1 to 38 digits
};

// What was wrong, as the tail of an error text that names the field first: "not 64 hex digits".
// Never holds the value.
std::string_view Describe(ValueProblem problem);

enum class IdentityShape : uint8_t { kText, kEmail, kPhone, kEcid, kSha256 };

// How one identity namespace spells its values. The order is fixed: UTF-8 and NUL check, trim,
// lower, shape, length.
//   kText    any text that is not empty, at most 8 KiB.
//   kEmail   always trimmed and lower-cased. Lower-casing touches A-Z only: the field hashes and
//            joins e-mail addresses in that spelling, and other letters are left to their domain.
//            One @; local part of 1 to 64 bytes; a domain with a dot and no empty label; no white
//            space, no control character; at most 254 bytes. Quoted local parts are refused.
//   kPhone   E.164 ("+33612345678") by libphonenumber; a national number is read in
//            `default_region`. The length must be possible for its country; that the range is in
//            use is not asked, because that changes faster than any release. A number whose E.164
//            form would be read as another number is malformed.
//   kEcid    1 to 38 digits, always trimmed.
//   kSha256  64 hex digits, always trimmed, lower-cased. The value must be a hash already: this
//            never hashes a clear value, because the two could not be told apart later.
struct IdentityRules {
  IdentityShape shape = IdentityShape::kText;
  bool trim = false;
  bool lower = false;          // A-Z only
  std::string default_region;  // ISO 3166 alpha-2 such as "FR"; empty: numbers need their "+"
};

ValueProblem NormalizeIdentity(const IdentityRules& rules, std::string_view value,
                               std::string* out);

// True if `region` is a region that libphonenumber knows, such as "FR".
bool IsPhoneRegion(const std::string& region);

// The transforms of a field mapping, on attribute values. kLower lower-cases letters beyond A-Z
// too (see LowerUtf8); kSha256 is the 64 hex digits of SHA-256 over the bytes as given.
enum class Transform : uint8_t { kNone, kTrim, kLower, kSha256 };

// UTF-8, NUL and length (at most kMaxValueBytes before the transform), then the transform. Empty
// text is a value and stays empty, also under kSha256.
ValueProblem ApplyTransform(Transform transform, std::string_view value, std::string* out);

// The checks alone: strict UTF-8, no U+0000, at most `max_bytes`.
ValueProblem CheckText(std::string_view value, std::size_t max_bytes);
ValueProblem CheckNumber(double value);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_CONVERT_NORMALIZE_H_
