// String lists as the store keeps them: a JSON array of strings. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace passerelle {

// Appends one element; the list starts with "[" and ends with "]", both written by the caller.
// `element` is UTF-8 without U+0000.
void AppendListElement(std::string_view element, std::string* json);

// The elements of what AppendListElement wrote. False if `json` is not an array of strings; `out`
// is then unspecified.
bool ParseTextList(std::string_view json, std::vector<std::string>* out);

}  // namespace passerelle
