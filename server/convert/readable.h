// Attribute values as google.protobuf.Value: what the readable methods show. Pure.
#pragma once

#include <google/protobuf/struct.pb.h>

#include <string_view>

#include "storage/profile_store.h"
#include "storage/schema_store.h"
#include "storage/types.h"

namespace passerelle {

// Numbers for int64 within +-2^53 and for doubles, decimal strings for int64 beyond; RFC 3339 (UTC)
// for timestamps, YYYY-MM-DD for dates, lists for string lists, null for a cell without a value.
google::protobuf::Value RenderValue(storage::AttributeType type, const storage::Cell& cell);
google::protobuf::Value RenderValue(storage::AttributeType type, const storage::OwnedCell& cell);

}  // namespace passerelle
