#include "server/services/log_wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace passerelle {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

constexpr std::size_t kNumberBytes = 12;  // a tag and the longest varint

uint8_t* WriteTag(int number, WireFormatLite::WireType type, uint8_t* to) {
  return CodedOutputStream::WriteTagToArray(WireFormatLite::MakeTag(number, type), to);
}

uint8_t* WriteText(int number, std::string_view text, uint8_t* to) {
  to = WriteTag(number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED, to);
  to = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(text.size()), to);
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

uint8_t* WriteInteger(int number, int64_t value, uint8_t* to) {
  to = WriteTag(number, WireFormatLite::WIRETYPE_VARINT, to);
  return CodedOutputStream::WriteVarint64ToArray(static_cast<uint64_t>(value), to);
}

std::size_t MostBytes(const storage::LogRow& row, const LogFieldSet& fields) {
  return fields.size() * kNumberBytes + row.delivery.size() + row.identity_namespace.size() +
         row.identity.size() + row.reason_message.size() + row.url.size() + row.url_category.size();
}

// Writes a LogEntry to where MostBytes fit, and returns its end. As in every proto3 message, zeros
// and empty texts are left out.
uint8_t* EncodeRow(const storage::LogRow& row, const LogFieldSet& fields, uint8_t* to) {
  for (const LogSchemaField* field : fields) {
    if (field->integer != nullptr) {
      const int64_t value = field->integer(row);
      if (value != 0) to = WriteInteger(field->number, value, to);
    } else {
      const std::string_view text = field->text(row);
      if (!text.empty()) to = WriteText(field->number, text, to);
    }
  }
  return to;
}

void DeleteBytes(void* bytes) { delete[] static_cast<uint8_t*>(bytes); }

}  // namespace

void RenderLogRow(const storage::LogRow& row, const LogFieldSet& fields, v1::LogEntry* entry) {
  std::vector<uint8_t> bytes(MostBytes(row, fields));
  const uint8_t* end = EncodeRow(row, fields, bytes.data());
  google::protobuf::io::CodedInputStream input(bytes.data(), static_cast<int>(end - bytes.data()));
  entry->MergeFromCodedStream(&input);
}

uint8_t* LogWire::Reserve(std::size_t bytes) {
  if (capacity_ - size_ < bytes) {
    capacity_ = std::max({expected_bytes_, 2 * capacity_, size_ + bytes});
    std::unique_ptr<uint8_t[]> larger(new uint8_t[capacity_]);
    if (size_ != 0) std::memcpy(larger.get(), bytes_.get(), size_);
    bytes_ = std::move(larger);
  }
  return bytes_.get() + size_;
}

// The length goes before the row and is known after it. Nearly always it takes one byte, so the row
// is written behind one, and moved where that is too few.
void LogWire::Add(const storage::LogRow& row, const LogFieldSet& fields) {
  uint8_t* const begin = Reserve(kNumberBytes + MostBytes(row, fields));
  uint8_t* const length_at = WriteTag(v1::ExportLogsResponse::kRowsFieldNumber,
                                      WireFormatLite::WIRETYPE_LENGTH_DELIMITED, begin);
  uint8_t* const body = length_at + 1;
  const auto length = static_cast<uint32_t>(EncodeRow(row, fields, body) - body);
  const std::size_t length_bytes = CodedOutputStream::VarintSize32(length);
  if (length_bytes > 1) std::memmove(length_at + length_bytes, body, length);
  CodedOutputStream::WriteVarint32ToArray(length, length_at);
  size_ += length_at + length_bytes + length - begin;
}

// Encoded messages of one type, put end to end, are one message with the fields of all.
void LogWire::Take(const v1::ExportLogsResponse& rest, grpc::ByteBuffer* message) {
  const std::size_t rest_bytes = rest.ByteSizeLong();
  rest.SerializeWithCachedSizesToArray(Reserve(rest_bytes));
  size_ += rest_bytes;
  expected_bytes_ = size_ + size_ / 8;
  uint8_t* const owned = bytes_.release();  // goes with the slice
  const grpc::Slice slice(owned, size_, DeleteBytes, owned);
  *message = grpc::ByteBuffer(&slice, 1);
  size_ = capacity_ = 0;
}

}  // namespace passerelle
