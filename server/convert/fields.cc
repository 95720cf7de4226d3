#include "server/convert/fields.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/errors.h"

namespace passerelle {
namespace {

constexpr std::size_t kMaxChannelBytes = 63;
constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kEarliestSecond = -62'135'596'800;  // 0001-01-01T00:00:00Z
constexpr int64_t kLatestSecond = 253'402'300'799;    // 9999-12-31T23:59:59Z
constexpr int32_t kNanosPerMicro = 1'000;

bool HasControlCharacter(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return true;
  }
  return false;
}

}  // namespace

absl::Status CheckLabel(const TextField& label) {
  if (label.text.size() > kMaxLabelBytes) {
    return errors::FieldInvalid(
        {label.field, absl::StrCat(label.text.size(), " bytes, limit ", kMaxLabelBytes)});
  }
  if (HasControlCharacter(label.text)) {
    return errors::FieldInvalid(
        {label.field, "got a control character, wanted text of one line without any"});
  }
  return absl::OkStatus();
}

absl::Status CheckRequiredLabel(const TextField& label) {
  return label.text.empty() ? errors::FieldRequired(label.field) : CheckLabel(label);
}

absl::Status CheckChannel(const TextField& channel) {
  return channel.text.empty() ? errors::FieldRequired(channel.field) : CheckPurpose(channel);
}

absl::Status CheckPurpose(const TextField& purpose) {
  bool fits = purpose.text.size() <= kMaxChannelBytes;
  for (const char c : purpose.text) {
    fits = fits && (absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_');
  }
  if (fits) return absl::OkStatus();
  return errors::FieldInvalid(
      {purpose.field, absl::StrCat("got ", Quoted(purpose.text), ", wanted up to ",
                                   kMaxChannelBytes, " of a-z, 0-9 and '_'")});
}

absl::StatusOr<int64_t> ReadTime(std::string field, const google::protobuf::Timestamp& time) {
  if (time.seconds() < kEarliestSecond || time.seconds() > kLatestSecond || time.nanos() < 0 ||
      time.nanos() > 999'999'999) {
    return errors::FieldInvalid(
        {std::move(field), absl::StrCat("got ", time.seconds(), " seconds and ", time.nanos(),
                                        " nanos, wanted a time in the years 1 to 9999")});
  }
  return time.seconds() * kMicrosPerSecond + time.nanos() / kNanosPerMicro;
}

google::protobuf::Timestamp ToTimestamp(int64_t us) {
  int64_t seconds = us / kMicrosPerSecond;
  int64_t micros = us % kMicrosPerSecond;
  if (micros < 0) {
    micros += kMicrosPerSecond;
    --seconds;
  }
  google::protobuf::Timestamp time;
  time.set_seconds(seconds);
  time.set_nanos(static_cast<int32_t>(micros * kNanosPerMicro));
  return time;
}

absl::StatusOr<int64_t> ReadDuration(const DurationField& field,
                                     const google::protobuf::Duration& duration) {
  const int64_t seconds = duration.seconds();
  const bool malformed = duration.nanos() < 0 || duration.nanos() > 999'999'999;
  const bool too_long =
      seconds > field.max_seconds || (seconds == field.max_seconds && duration.nanos() > 0);
  if (malformed || seconds < field.min_seconds || too_long) {
    return errors::FieldInvalid(
        {field.field, absl::StrCat("got ", seconds, " s, wanted ", field.min_seconds, " to ",
                                   field.max_seconds, " s")});
  }
  return seconds * 1'000'000 + duration.nanos() / 1'000;
}

google::protobuf::Duration ToDuration(int64_t us) {
  google::protobuf::Duration duration;
  duration.set_seconds(us / 1'000'000);
  duration.set_nanos(static_cast<int32_t>(us % 1'000'000 * 1'000));
  return duration;
}

}  // namespace passerelle
