// A WriteAck as bytes, for the answer to a request that is sent again.
#ifndef PASSERELLE_STORAGE_SQLITE_ACK_CODEC_H_
#define PASSERELLE_STORAGE_SQLITE_ACK_CODEC_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// All but position and repeated_request, which belong to the moment of the answer.
std::string EncodeAck(const WriteAck& ack);

// DATA_LOSS kDamagedFile unless EncodeAck of this version made it.
absl::StatusOr<WriteAck> DecodeAck(std::string_view bytes);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_ACK_CODEC_H_
