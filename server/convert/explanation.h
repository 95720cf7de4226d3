// Why a profile is where it is, as ExplainProfile tells it. Pure.
#pragma once

#include "passerelle/v1/profile_explanation.pb.h"
#include "server/convert/profile.h"
#include "storage/reach_store.h"

namespace passerelle {

// Consents and what they and the lists mean for each channel and purpose come from the schema and
// what the store told.
v1::ProfileExplanation ToProto(const ProfileShape& shape, const storage::ProfileExplanation& told);

}  // namespace passerelle
