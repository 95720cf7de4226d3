// The data of the bench: made up, and the same for both sides and for every run with one seed.
#ifndef PASSERELLE_TESTS_BENCH_DATA_H_
#define PASSERELLE_TESTS_BENCH_DATA_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "passerelle/v1/instance.pb.h"

namespace passerelle::bench {

inline constexpr char kNamespace[] = "external_id";

// The attributes of a person, in the order in which they are created: number n is kAttributes[n-1].
struct AttributeSpec {
  const char* id;
  v1::AttributeType type;
};
inline constexpr std::array<AttributeSpec, 12> kAttributes = {{
    {"first_name", v1::ATTRIBUTE_TYPE_STRING},
    {"last_name", v1::ATTRIBUTE_TYPE_STRING},
    {"city", v1::ATTRIBUTE_TYPE_STRING},
    {"country", v1::ATTRIBUTE_TYPE_STRING},
    {"language", v1::ATTRIBUTE_TYPE_STRING},
    {"age", v1::ATTRIBUTE_TYPE_INT64},
    {"points", v1::ATTRIBUTE_TYPE_INT64},
    {"spent", v1::ATTRIBUTE_TYPE_DOUBLE},
    {"last_order", v1::ATTRIBUTE_TYPE_TIMESTAMP},
    {"birth_date", v1::ATTRIBUTE_TYPE_DATE},
    {"newsletter", v1::ATTRIBUTE_TYPE_BOOL},
    {"store", v1::ATTRIBUTE_TYPE_STRING},
}};

struct Person {
  std::string external_id;
  std::string first_name;
  std::string last_name;
  std::string city;
  std::string country;
  std::string language;
  std::string store;
  int64_t age = 0;
  int64_t points = 0;
  double spent = 0;
  int64_t last_order_us = 0;
  int64_t birth_day = 0;
  bool newsletter = false;
};

// New values of city, points and last_order; all three differ from any that the person had before.
struct Patch {
  std::string external_id;
  std::string city;
  int64_t points = 0;
  int64_t last_order_us = 0;
};

// What a delivery-log row tells; one in ten failed.
struct Sending {
  std::string external_id;
  int64_t broadlog_id = 0;
  int64_t event_us = 0;
  int32_t status = 0;
  int32_t failure_type = 0;
  int32_t failure_reason = 0;
};

// A reader's summary of what it exported; equal on both sides if they read the same rows.
struct ExportSum {
  int64_t rows = 0;
  int64_t broadlog_ids = 0;
  int64_t event_us = 0;
  int64_t failures = 0;
  int64_t profiles = 0;
  int64_t text_bytes = 0;

  bool operator==(const ExportSum& other) const;
};

std::string ExternalId(int64_t person);

// Person `number` counts from 0.
Person MakePerson(int64_t number, uint64_t seed);

// `rows` patches of people chosen uniformly at random from `people`, so that some repeat. `pair`
// counts from 0; values of different pairs differ.
std::vector<Patch> MakePatches(int64_t rows, int64_t people, int pair, uint64_t seed);

// Everybody once, in random order.
std::vector<std::string> MakeMembers(int64_t people, int pair, uint64_t seed);

// `rows` messages with broadlog ids that no other pair has, ascending, to random people.
std::vector<Sending> MakeSendings(int64_t rows, int64_t people, int pair, uint64_t seed);

}  // namespace passerelle::bench

#endif  // PASSERELLE_TESTS_BENCH_DATA_H_
