// Times and dates as text.
#include "server/convert/times.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace passerelle;
  const std::string_view text = TextOf(data, size);
  if (const auto us = ParseTimeUs(text); us.has_value()) {
    Check(IsTimeInRange(*us), "a time is in range");
    google::protobuf::Timestamp time;
    SetMicros(*us, &time);
    Check(MicrosOf(time) == us, "a time on the wire is the same");
  }
  if (const auto date = ParseDate(text); date.has_value()) {
    Check(IsDateInRange(*date), "a date is in range");
  }
  return 0;
}
