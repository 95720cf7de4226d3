#include "server/services/log_wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/slice.h>

#include <cstdint>
#include <cstring>
#include <string_view>

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

// Writes a LogEntry to the front of `to`, which grows as needed, and returns its bytes. As in every
// proto3 message, zeros and empty texts are left out.
std::string_view EncodeRow(const storage::LogRow& row, const LogFieldSet& fields, std::string* to) {
  const std::size_t most_bytes = MostBytes(row, fields);
  if (to->size() < most_bytes) to->resize(most_bytes);
  auto* const begin = reinterpret_cast<uint8_t*>(to->data());
  uint8_t* end = begin;
  for (const LogSchemaField* field : fields) {
    if (field->integer != nullptr) {
      const int64_t value = field->integer(row);
      if (value != 0) end = WriteInteger(field->number, value, end);
    } else {
      const std::string_view text = field->text(row);
      if (!text.empty()) end = WriteText(field->number, text, end);
    }
  }
  return {to->data(), static_cast<std::size_t>(end - begin)};
}

void DeleteString(void* string) { delete static_cast<std::string*>(string); }

}  // namespace

void RenderLogRow(const storage::LogRow& row, const LogFieldSet& fields, v1::LogEntry* entry) {
  std::string buffer;
  const std::string_view bytes = EncodeRow(row, fields, &buffer);
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes.data()),
                                               static_cast<int>(bytes.size()));
  entry->MergeFromCodedStream(&input);
}

void LogWire::Add(const storage::LogRow& row, const LogFieldSet& fields) {
  if (rows_ == nullptr) {
    rows_ = std::make_unique<std::string>();
    rows_->reserve(expected_bytes_);
  }
  const std::string_view bytes = EncodeRow(row, fields, &row_);
  uint8_t head[kNumberBytes];
  uint8_t* end = WriteTag(v1::ExportLogsResponse::kRowsFieldNumber,
                          WireFormatLite::WIRETYPE_LENGTH_DELIMITED, head);
  end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(bytes.size()), end);
  rows_->append(reinterpret_cast<const char*>(head), end - head);
  rows_->append(bytes.data(), bytes.size());
}

// Encoded messages of one type, put end to end, are one message with the fields of all.
void LogWire::Take(const v1::ExportLogsResponse& rest, grpc::ByteBuffer* message) {
  if (rows_ == nullptr) rows_ = std::make_unique<std::string>();
  rest.AppendToString(rows_.get());
  expected_bytes_ = rows_->size() + rows_->size() / 8;
  std::string* const owned = rows_.release();  // goes with the slice
  const grpc::Slice slice(owned->data(), owned->size(), DeleteString, owned);
  *message = grpc::ByteBuffer(&slice, 1);
}

}  // namespace passerelle
