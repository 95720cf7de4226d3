// The 32-bit hash by which a stream tells whether a record that comes again is the same record.
//
// It covers the record's (field, value) list as it was sent. Every pair is hashed by its field's
// name and its value, and the hashes are added up, so that neither the order of the columns, nor
// the cut of the batches, nor the packing counts; an absent value adds nothing, null is a value,
// and so is one that the caller could not read. The numbers are stored: this function never
// changes. Pure; safe on any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace passerelle {

// What a field is to a record; fields of two roles with one name are not the same field.
enum class HashRole : uint8_t {
  kIdentity = 1,
  kField = 2,
  kEventTime = 3,
  kRecordKey = 4,
  kAudience = 5,
  kStatus = 6,
  kQualificationTime = 7,
};

// The hashes of one field's values.
class FieldHash {
 public:
  explicit FieldHash(HashRole role, std::string_view name = {});

  uint64_t Null() const;
  uint64_t Unreadable() const;
  uint64_t Integer(int64_t value) const;
  uint64_t Real(double value) const;
  uint64_t Text(std::string_view value) const;
  // Element by element: h = NextElement(h, text), from a start of 0.
  uint64_t NextElement(uint64_t so_far, std::string_view element) const;

 private:
  uint64_t seed_;
};

// The sum of a record's hashes, folded to what is stored; never 0, which stands for none.
uint32_t FoldHash(uint64_t sum);

}  // namespace passerelle
