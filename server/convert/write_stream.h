// Write streams as callers see them. Pure.
#pragma once

#include "passerelle/v1/write_stream.pb.h"
#include "server/convert/names.h"
#include "storage/stream_store.h"

namespace passerelle {

v1::WriteStream ToProto(const InstanceName& instance, const storage::StreamState& state);

}  // namespace passerelle
