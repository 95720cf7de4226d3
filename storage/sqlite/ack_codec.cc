#include "storage/sqlite/ack_codec.h"

#include <cstdint>
#include <vector>

#include "storage/reason.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kVersion = 1;

class Encoder {
 public:
  void Number(int64_t value) {
    auto rest = static_cast<uint64_t>(value);
    for (; rest >= 0x80; rest >>= 7) out_.push_back(static_cast<char>(rest | 0x80));
    out_.push_back(static_cast<char>(rest));
  }
  void Text(std::string_view text) {
    Number(static_cast<int64_t>(text.size()));
    out_.append(text);
  }
  void Texts(const std::vector<std::string>& texts) {
    Number(static_cast<int64_t>(texts.size()));
    for (const std::string& text : texts) Text(text);
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

// Reads zeros and empty texts once the bytes have run out; ok() tells.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

  int64_t Number() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) break;
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return static_cast<int64_t>(value);
    }
    ok_ = false;
    return 0;
  }
  // A count of things that take at least a byte each.
  size_t Count() {
    const int64_t count = Number();
    if (count >= 0 && static_cast<size_t>(count) <= rest_.size()) return static_cast<size_t>(count);
    ok_ = false;
    return 0;
  }
  std::string Text() {
    const size_t size = Count();
    std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return text;
  }
  std::vector<std::string> Texts() {
    std::vector<std::string> texts(Count());
    for (std::string& text : texts) text = Text();
    return texts;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

int64_t FlagsOf(const RowResult& row) {
  return (row.profile_created ? 1 : 0) | (row.membership_changed ? 2 : 0) |
         (row.attributes_changed ? 4 : 0) | (row.profile_unknown ? 8 : 0);
}

void EncodeRow(Encoder& out, const RowResult& row) {
  out.Number(row.offset);
  out.Text(row.record_key);
  out.Number(static_cast<int64_t>(row.outcome));
  out.Number(static_cast<int64_t>(row.reason));
  out.Text(row.field);
  out.Texts(row.stale_fields);
  out.Texts(row.out_of_scope_fields);
  out.Number(FlagsOf(row));
}

RowResult DecodeRow(Decoder& in) {
  RowResult row;
  row.offset = in.Number();
  row.record_key = in.Text();
  row.outcome = static_cast<Outcome>(in.Number());
  row.reason = static_cast<RowReason>(in.Number());
  row.field = in.Text();
  row.stale_fields = in.Texts();
  row.out_of_scope_fields = in.Texts();
  const int64_t flags = in.Number();
  row.profile_created = (flags & 1) != 0;
  row.membership_changed = (flags & 2) != 0;
  row.attributes_changed = (flags & 4) != 0;
  row.profile_unknown = (flags & 8) != 0;
  return row;
}

}  // namespace

std::string EncodeAck(const WriteAck& ack) {
  Encoder out;
  out.Number(kVersion);
  out.Number(ack.next_offset);
  out.Number(ack.received);
  out.Number(ack.already_known);
  out.Number(ack.overlap_unverified ? 1 : 0);
  for (const int64_t rows : ack.counts.rows) out.Number(rows);
  out.Number(static_cast<int64_t>(ack.rows.size()));
  for (const RowResult& row : ack.rows) EncodeRow(out, row);
  out.Text(ack.source_token);
  return out.Take();
}

absl::StatusOr<WriteAck> DecodeAck(std::string_view bytes) {
  Decoder in(bytes);
  WriteAck ack;
  const int64_t version = in.Number();
  ack.next_offset = in.Number();
  ack.received = in.Number();
  ack.already_known = in.Number();
  ack.overlap_unverified = in.Number() != 0;
  for (int64_t& rows : ack.counts.rows) rows = in.Number();
  ack.rows.resize(in.Count());
  for (RowResult& row : ack.rows) row = DecodeRow(in);
  ack.source_token = in.Text();
  if (version == kVersion && in.ok() && in.at_end()) return ack;
  return MakeError(absl::StatusCode::kDataLoss, Reason::kDamagedFile,
                   "the stored answer of a request cannot be read");
}

}  // namespace passerelle::storage::sqlite
