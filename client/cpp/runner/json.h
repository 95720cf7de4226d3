// Messages and statuses as the JSON of tests/conformance/README.md, and back. Pure.
#ifndef PASSERELLE_CLIENT_RUNNER_JSON_H_
#define PASSERELLE_CLIENT_RUNNER_JSON_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "passerelle/v1/ingest.pb.h"
#include "passerelle/v1/instance.pb.h"

namespace passerelle::runner {

using Json = nlohmann::json;

// Protobuf JSON with the names of the proto.
Json ToJson(const google::protobuf::Message& message);

// INVALID_ARGUMENT if it is no JSON of this message.
absl::Status FromJson(const Json& json, google::protobuf::Message* message);

// An answer that tells of an error of the server, or of the connection.
Json ErrorAnswer(const absl::Status& status);

// An answer that tells of what the client refused before any call.
Json InvalidUse(const std::string& message);

// A value's name without its prefix; the number, as text, of one that is newer than this client.
std::string EnumText(const google::protobuf::EnumDescriptor& descriptor, int number);

// RFC 3339 in UTC.
std::string TimeText(int64_t microseconds);

// One value for each record of a column of this type; null where there is none.
std::vector<Json> ValuesOf(const v1::Column& column, int records, v1::AttributeType type);

}  // namespace passerelle::runner

#endif  // PASSERELLE_CLIENT_RUNNER_JSON_H_
