// What commands print on standard output: tables for people, JSON for programs.
#ifndef PASSERELLE_TOOLS_OUTPUT_H_
#define PASSERELLE_TOOLS_OUTPUT_H_

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "passerelle/v1/outcome.pb.h"

namespace passerelle::tools {

using Json = nlohmann::ordered_json;

// The message as protobuf's JSON, with the proto's field names, int64 as text, and fields that are
// empty.
Json ToJson(const google::protobuf::Message& message);

// A column of a table: which key of the rows, under which heading.
struct TableColumn {
  std::string key;
  std::string heading;
};

// Prints rows (objects) as an aligned table, columns of numbers to the right. Names of resources
// are shown by their last part, enum values by their words ("audience-sync").
void PrintTable(const Json& rows, const std::vector<TableColumn>& columns);
// Prints one object as lines of "key  value"; empty values are left out.
void PrintFields(const Json& object);
// As --json asks: the object as JSON, or its fields.
void PrintResource(const google::protobuf::Message& message, bool json);
// As --json asks: {"<key>": [...]}, or a table.
void PrintList(const std::string& key, const Json& rows, const std::vector<TableColumn>& columns,
               bool json);
void PrintJson(const Json& value);

// A value as a person reads it; control characters as \n, \t, \x1b.
std::string Readable(const Json& value);
// "21,307".
std::string WithCommas(int64_t number);
// "audience-sync" of SYNC_TYPE_AUDIENCE_SYNC; other text as it is.
std::string EnumWords(const std::string& name);
// "not found" of OUTCOME_NOT_FOUND.
std::string OutcomeWords(v1::Outcome outcome);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_OUTPUT_H_
