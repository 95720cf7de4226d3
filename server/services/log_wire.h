// Log rows as bytes of the wire, straight from the store's rows: a message object per row would
// cost several times what reading the row does. Pure.
#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "passerelle/v1/log_entry.pb.h"
#include "passerelle/v1/log_service.pb.h"
#include "server/convert/log_schema.h"
#include "storage/log_row.h"

namespace passerelle {

// Writes the chosen fields of a row; others of `entry` are left alone. Texts must be UTF-8.
void RenderLogRow(const storage::LogRow& row, const LogFieldSet& fields, v1::LogEntry* entry);

// Encodes messages of ExportLogs, one after the other. Not thread-safe.
class LogWire {
 public:
  // Adds a row with the chosen fields to the message. Texts must be UTF-8: nothing checks them.
  void Add(const storage::LogRow& row, const LogFieldSet& fields);

  // Bytes and rows since the last Take.
  std::size_t size_bytes() const { return size_; }
  bool empty() const { return size_ == 0; }

  // Ends the message: `message` holds the rows added, and what `rest` has besides rows.
  void Take(const v1::ExportLogsResponse& rest, grpc::ByteBuffer* message);

 private:
  // Makes room for so many bytes and returns where they go.
  uint8_t* Reserve(std::size_t bytes);

  // The message being made. Not a string: that would be filled with zeros before it is written.
  std::unique_ptr<uint8_t[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  std::size_t expected_bytes_ = 0;  // as large as the message before
};

}  // namespace passerelle
