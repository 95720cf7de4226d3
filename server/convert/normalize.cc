#include "server/convert/normalize.h"

#include <phonenumbers/logger.h>
#include <phonenumbers/phonenumberutil.h>

#include <cmath>
#include <set>

#include "absl/strings/ascii.h"
#include "server/convert/hash.h"
#include "server/convert/text.h"
#include "server/limits.h"

namespace passerelle {
namespace {

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

// libphonenumber prints what it cannot parse; numbers are personal data, so it is muted for good.
const PhoneNumberUtil& Phones() {
  static const PhoneNumberUtil* const util = [] {
    const PhoneNumberUtil* instance = PhoneNumberUtil::GetInstance();
    i18n::phonenumbers::Logger::set_logger_impl(new i18n::phonenumbers::NullLogger());
    return instance;
  }();
  return *util;
}

bool IsDigits(std::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isdigit(c)) return false;
  }
  return !text.empty();
}

bool IsDomain(std::string_view domain) {
  bool has_dot = false;
  char previous = '.';
  for (const char c : domain) {
    if (c == '.' && previous == '.') return false;
    has_dot = has_dot || c == '.';
    previous = c;
  }
  return has_dot && previous != '.';
}

ValueProblem CheckEmail(std::string_view email) {
  if (email.empty()) return ValueProblem::kEmpty;
  if (email.size() > kMaxEmailBytes) return ValueProblem::kTooLong;
  std::size_t at = std::string_view::npos;
  for (std::size_t i = 0; i < email.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(email[i]);
    if (c <= ' ' || c == 0x7F || c == '"') return ValueProblem::kMalformedEmail;
    if (c != '@') continue;
    if (at != std::string_view::npos) return ValueProblem::kMalformedEmail;
    at = i;
  }
  if (at == std::string_view::npos || at == 0 || at > kMaxEmailLocalPartBytes) {
    return ValueProblem::kMalformedEmail;
  }
  return IsDomain(email.substr(at + 1)) ? ValueProblem::kOk : ValueProblem::kMalformedEmail;
}

// False unless it is a number of a possible length without an extension.
bool ReadPhone(const std::string& text, const std::string& region, std::string* out) {
  PhoneNumber number;
  if (Phones().Parse(text, region, &number) != PhoneNumberUtil::NO_PARSING_ERROR ||
      !Phones().IsPossibleNumber(number) || number.has_extension()) {
    return false;
  }
  out->clear();
  Phones().Format(number, PhoneNumberUtil::E164, out);
  return true;
}

// A form that is read as another number ("008200-8202004" gives +82008202004, which is read as
// +8208202004) would be looked up as somebody else when it comes back from an export.
ValueProblem NormalizePhone(std::string_view value, const std::string& region, std::string* out) {
  constexpr std::size_t kMaxPhoneBytes = 64;  // E.164 has 15 digits; the rest is punctuation
  constexpr char kNoRegion[] = "ZZ";
  std::string again;
  if (value.size() <= kMaxPhoneBytes &&
      ReadPhone(std::string(value), region.empty() ? kNoRegion : region, out) &&
      ReadPhone(*out, kNoRegion, &again) && again == *out) {
    return ValueProblem::kOk;
  }
  return ValueProblem::kMalformedPhone;
}

ValueProblem NormalizeHash(std::string_view value, std::string* out) {
  constexpr std::size_t kHexDigits = 64;
  if (value.size() != kHexDigits) return ValueProblem::kMalformedHash;
  for (const char c : value) {
    if (!absl::ascii_isxdigit(c)) return ValueProblem::kMalformedHash;
  }
  LowerAscii(value, out);
  return ValueProblem::kOk;
}

ValueProblem NormalizeText(const IdentityRules& rules, std::string_view value, std::string* out) {
  if (rules.lower) {
    LowerAscii(value, out);
  } else {
    out->assign(value);
  }
  return ValueProblem::kOk;
}

}  // namespace

std::string_view Describe(ValueProblem problem) {
  switch (problem) {
    case ValueProblem::kOk:
      return "fine";
    case ValueProblem::kEmpty:
      return "empty, wanted a value";
    case ValueProblem::kNotUtf8:
      return "not well-formed UTF-8";
    case ValueProblem::kNul:
      return "holds U+0000, which text may not";
    case ValueProblem::kTooLong:
      return "longer than its limit";
    case ValueProblem::kNan:
      return "not a number (NaN)";
    case ValueProblem::kMalformedEmail:
      return "not an e-mail address, wanted local@domain.tld";
    case ValueProblem::kMalformedPhone:
      return "not a phone number, wanted E.164 or a national number of the default region";
    case ValueProblem::kMalformedHash:
      return "not a SHA-256 hash, wanted 64 hex digits";
    case ValueProblem::kMalformedEcid:
      return "not an ECID, wanted 1 to 38 digits";
  }
  return "unknown problem";
}

ValueProblem CheckText(std::string_view value, std::size_t max_bytes) {
  if (value.size() > max_bytes) return ValueProblem::kTooLong;
  if (HasNul(value)) return ValueProblem::kNul;
  return IsUtf8(value) ? ValueProblem::kOk : ValueProblem::kNotUtf8;
}

ValueProblem CheckNumber(double value) {
  return std::isnan(value) ? ValueProblem::kNan : ValueProblem::kOk;
}

bool IsPhoneRegion(const std::string& region) {
  static const std::set<std::string>* const regions = [] {
    auto* all = new std::set<std::string>;
    Phones().GetSupportedRegions(all);
    return all;
  }();
  return regions->count(region) > 0;
}

ValueProblem NormalizeIdentity(const IdentityRules& rules, std::string_view value,
                               std::string* out) {
  const ValueProblem text = CheckText(value, kMaxValueBytes);
  if (text != ValueProblem::kOk) return text;
  if (rules.trim || rules.shape != IdentityShape::kText) value = TrimAscii(value);
  if (value.empty()) return ValueProblem::kEmpty;
  switch (rules.shape) {
    case IdentityShape::kText:
      return NormalizeText(rules, value, out);
    case IdentityShape::kEmail:
      LowerAscii(value, out);
      return CheckEmail(*out);
    case IdentityShape::kPhone:
      return NormalizePhone(value, rules.default_region, out);
    case IdentityShape::kEcid:
      out->assign(value);
      return IsDigits(value) && value.size() <= kMaxEcidDigits ? ValueProblem::kOk
                                                               : ValueProblem::kMalformedEcid;
    case IdentityShape::kSha256:
      return NormalizeHash(value, out);
  }
  return ValueProblem::kOk;
}

ValueProblem ApplyTransform(Transform transform, std::string_view value, std::string* out) {
  const ValueProblem problem = CheckText(value, kMaxValueBytes);
  if (problem != ValueProblem::kOk) return problem;
  switch (transform) {
    case Transform::kNone:
      out->assign(value);
      break;
    case Transform::kTrim:
      out->assign(TrimAscii(value));
      break;
    case Transform::kLower:
      LowerUtf8(value, out);
      break;
    case Transform::kSha256:
      if (value.empty()) {
        out->clear();
      } else {
        Sha256Hex(value, out);
      }
      break;
  }
  return ValueProblem::kOk;
}

}  // namespace passerelle
