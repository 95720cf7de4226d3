#include "tests/bench/data.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace passerelle::bench {
namespace {

// 2026-01-01T00:00:00Z: early enough that no event time lies ahead.
constexpr int64_t kBeginUs = 1'767'225'600'000'000;
constexpr int64_t kSecondUs = 1'000'000;

constexpr const char* kFirstNames[] = {"Anna", "Bruno", "Chloe", "David", "Elena", "Farid"};
constexpr const char* kLastNames[] = {"Martin", "Bernard", "Dubois", "Laurent", "Moreau"};
constexpr const char* kCities[] = {"Paris", "Lyon", "Marseille", "Toulouse", "Nantes", "Lille"};
constexpr const char* kCountries[] = {"FR", "BE", "CH", "LU"};
constexpr const char* kLanguages[] = {"fr-FR", "nl-BE", "de-CH"};

// splitmix64: a good enough mix of a counter, the same everywhere.
uint64_t Mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

template <size_t N>
const char* Pick(const char* const (&choices)[N], uint64_t bits) {
  return choices[bits % N];
}

}  // namespace

bool ExportSum::operator==(const ExportSum& other) const {
  return std::tie(rows, broadlog_ids, event_us, failures, profiles, text_bytes) ==
         std::tie(other.rows, other.broadlog_ids, other.event_us, other.failures, other.profiles,
                  other.text_bytes);
}

std::string ExternalId(int64_t person) { return absl::StrFormat("crm-%09d", person); }

Person MakePerson(int64_t number, uint64_t seed) {
  const uint64_t bits = Mix(seed ^ Mix(static_cast<uint64_t>(number)));
  Person person;
  person.external_id = ExternalId(number);
  person.first_name = Pick(kFirstNames, bits);
  person.last_name = absl::StrCat(Pick(kLastNames, bits >> 8), "-", bits % 1000);
  person.city = absl::StrCat(Pick(kCities, bits >> 16), "-00000000");
  person.country = Pick(kCountries, bits >> 24);
  person.language = Pick(kLanguages, bits >> 32);
  person.store = absl::StrCat("store-", 100 + bits % 900);
  person.age = 18 + static_cast<int64_t>((bits >> 20) % 70);
  person.points = static_cast<int64_t>((bits >> 12) % 100'000);
  person.spent = static_cast<double>((bits >> 28) % 1'000'000) / 100;
  person.last_order_us = kBeginUs - static_cast<int64_t>(bits % 1'000'000) * kSecondUs;
  person.birth_day = static_cast<int64_t>((bits >> 36) % 20'000);
  person.newsletter = bits % 3 == 0;
  return person;
}

std::vector<Patch> MakePatches(int64_t rows, int64_t people, int pair, uint64_t seed) {
  std::mt19937_64 random(Mix(seed + 1000 + pair));
  std::uniform_int_distribution<int64_t> anybody(0, people - 1);
  std::vector<Patch> patches(rows);
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t version = int64_t{pair} * rows + i + 1;
    patches[i].external_id = ExternalId(anybody(random));
    patches[i].city = absl::StrFormat("%s-%08d", Pick(kCities, version), version);
    patches[i].points = 100'000 + version;
    patches[i].last_order_us = kBeginUs + version * kSecondUs / 10;
  }
  return patches;
}

std::vector<std::string> MakeMembers(int64_t people, int pair, uint64_t seed) {
  std::vector<int64_t> order(people);
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(Mix(seed + 2000 + pair)));
  std::vector<std::string> members;
  members.reserve(people);
  for (int64_t person : order) members.push_back(ExternalId(person));
  return members;
}

std::vector<Sending> MakeSendings(int64_t rows, int64_t people, int pair, uint64_t seed) {
  std::mt19937_64 random(Mix(seed + 3000 + pair));
  std::uniform_int_distribution<int64_t> anybody(0, people - 1);
  std::vector<Sending> sendings(rows);
  for (int64_t i = 0; i < rows; ++i) {
    Sending& sending = sendings[i];
    sending.external_id = ExternalId(anybody(random));
    sending.broadlog_id = int64_t{pair} * rows + i + 1;
    sending.event_us = kBeginUs + sending.broadlog_id * 1000;
    const bool failed = random() % 10 == 0;
    sending.status = failed ? 2 : 1;
    sending.failure_type = failed ? 2 : 0;
    sending.failure_reason = failed ? 5 : 0;
  }
  return sendings;
}

}  // namespace passerelle::bench
