// The few JSON texts that tables hold: lists of short strings and small objects of numbers.
#ifndef PASSERELLE_STORAGE_SQLITE_JSON_TEXT_H_
#define PASSERELLE_STORAGE_SQLITE_JSON_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "storage/types.h"

namespace passerelle::storage::sqlite {

// Appends the text as a JSON string: quotes, backslashes and control characters escaped, other
// bytes as they are.
void AppendJsonString(std::string& out, std::string_view text);

// ["a","b"]
std::string EncodeJsonList(const std::vector<std::string>& items);
// What EncodeJsonList made; anything else gives the strings found so far.
std::vector<std::string> DecodeJsonList(std::string_view json);

// {"1":5,"11":7}: outcome numbers to rows, those without rows left out.
std::string EncodeJsonCounts(const OutcomeCounts& counts);
OutcomeCounts DecodeJsonCounts(std::string_view json);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_JSON_TEXT_H_
