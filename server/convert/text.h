// Text as the product stores it: strict UTF-8 without U+0000. Pure functions, safe on any thread,
// usable on hostile input.
#ifndef PASSERELLE_SERVER_CONVERT_TEXT_H_
#define PASSERELLE_SERVER_CONVERT_TEXT_H_

#include <string>
#include <string_view>

#include "absl/strings/string_view.h"

namespace passerelle {

// Debian builds Abseil with its own string_view, which is another type than the standard one. We
// speak std::string_view and convert, for free, where Abseil is called.
inline absl::string_view AbslView(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view StdView(absl::string_view text) { return {text.data(), text.size()}; }

// True if `text` is well-formed UTF-8 by RFC 3629: no overlong form, no surrogate, nothing above
// U+10FFFF, no truncated sequence. The empty text is well-formed. Eight ASCII bytes cost one test.
bool IsUtf8(std::string_view text);

// True if `text` has a byte 0.
bool HasNul(std::string_view text);

// `text` without leading and trailing ASCII white space (space, tab, CR, LF, VT, FF). Other
// Unicode spaces stay. The view points into `text`.
std::string_view TrimAscii(std::string_view text);

// Writes `text` to `out` with A-Z in lower case and every other byte as it is. `out` is replaced;
// its capacity is reused. `text` may not point into `out`.
void LowerAscii(std::string_view text, std::string* out);

// Writes well-formed UTF-8 `text` to `out` in lower case: Latin (with extended A and additional),
// Greek, Cyrillic and Armenian letters, one to one, independent of any locale. Letters that change
// length or meaning by language (dotted I, sharp S) and other scripts stay as they are. ASCII
// input takes the fast path of LowerAscii. `text` may not point into `out`.
void LowerUtf8(std::string_view text, std::string* out);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_CONVERT_TEXT_H_
