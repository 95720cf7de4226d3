// A bug that must be found, so that a run without a finding means something: a key's id is copied
// into too small a place.
#include <cstring>

#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = TextOf(data, size);
  if (text.substr(0, 4) != "psk." || text.size() < 8) return 0;
  char* place = new char[4];
  std::memcpy(place, text.data() + 4, text.find('.', 4) == 9 ? 5 : 4);
  static volatile char seen;
  seen = place[0];
  delete[] place;
  return 0;
}
