// A property that must hold for every input: what breaks it ends the program, as a crash does.
#ifndef PASSERELLE_TESTS_FUZZ_CHECK_H_
#define PASSERELLE_TESTS_FUZZ_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

inline void Check(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", property);
  std::abort();
}

inline std::string_view TextOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

#endif  // PASSERELLE_TESTS_FUZZ_CHECK_H_
