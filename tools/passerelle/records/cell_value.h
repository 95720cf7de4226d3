// Text to typed values, and the type that fits a column's texts. Pure.
#ifndef PASSERELLE_TOOLS_CELL_VALUE_H_
#define PASSERELLE_TOOLS_CELL_VALUE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "passerelle/record.h"
#include "passerelle/v1/instance.pb.h"
#include "tools/passerelle/records/record_reader.h"

namespace passerelle::tools {

// Sets `value` from a cell. Absent and null stay so; an empty text is null for every type but
// strings. False if the text is not of the type. Booleans: true/false, yes/no, 1/0. Timestamps:
// RFC 3339, or without an offset as UTC. Dates: YYYY-MM-DD. Lists: a JSON list of texts, or texts
// between semicolons.
bool ToValue(const Cell& cell, v1::AttributeType type, client::Value* value);

// What ToValue takes for a type, in words: "an integer".
const char* WordsFor(v1::AttributeType type);

// Microseconds since 1970 of an RFC 3339 time, a time without an offset (UTC) or a day.
std::optional<int64_t> ToMicroseconds(const std::string& text);

// Finds the narrowest type that all texts of a column fit: bool, int64, double, date, timestamp, or
// else string. Numbers with leading zeros are strings.
class TypeGuess {
 public:
  void See(const Cell& cell);
  v1::AttributeType type() const;

 private:
  bool seen_ = false;
  bool may_be_bool_ = true;
  bool may_be_integer_ = true;
  bool may_be_double_ = true;
  bool may_be_date_ = true;
  bool may_be_time_ = true;
};

// The attribute id that a column's name becomes: lower case, everything but a-z, 0-9 to '_'.
std::string AttributeIdOf(const std::string& column);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_CELL_VALUE_H_
