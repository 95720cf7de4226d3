// Where the files of an instance hold what is of a person: one table of all their tables and
// columns. Access gathers by it, erasure removes by it and searches by it once more; a test holds
// it to the schema, so that no table and no column is without an answer.
#ifndef PASSERELLE_STORAGE_SQLITE_PERSON_DATA_H_
#define PASSERELLE_STORAGE_SQLITE_PERSON_DATA_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "storage/sqlite/migrations.h"

namespace passerelle::storage::sqlite {

// What a column holds, beyond what its type says.
enum class Holds {
  kProfile,         // number of a profile
  kNamespace,       // number of an identity namespace
  kNamespaceId,     // id of one
  kIdentity,        // a normalised value
  kText,            // words that may tell who it is
  kRecordKey,       // the caller's key of a row, or its hash
  kTime,            // microseconds since 1970
  kAudience,        // number
  kDelivery,        // number
  kMessage,         // broadlog id
  kAttributeMask,   // bit n-1 is attribute n
  kAttributeTimes,  // packed, by attribute
  kHash,            // keyed hash of an identity
  kOwnWords,        // sealed, or about privacy requests alone
};

struct PersonColumn {
  const char* name;
  Holds holds;
  bool cleared = false;  // an erasure empties it where the row stays
};

enum class OnErase {
  kNothingHeld,  // no row is of a person
  kDelete,       // the rows of the person go
  kClear,        // their columns that are `cleared` are emptied
  kKeep,         // they stay: without the rest nobody can tell who it was
};

// Statements are null where there is none of the kind.
struct PersonTable {
  FileKind file;
  const char* name;
  const char* plain;  // columns that tell nothing about a person by themselves, with spaces between
  absl::Span<const PersonColumn> columns;  // all others
  OnErase on_erase;
  const char* why;  // kNothingHeld and kKeep: the reason; otherwise how its rows are found

  // Rows of profile ?1.
  const char* of_profile = nullptr;
  // Instead: those with a sequence above ?2 and up to ?3. The table is large and has no index.
  const char* of_profile_in_range = nullptr;
  const char* erase_of_profile = nullptr;  // some of them; again until nothing changes
  // Rows with an identity: number, namespace, value; above ?1, in order, at most ?2.
  const char* identities = nullptr;
  const char* by_number = nullptr;
  const char* erase_by_number = nullptr;
  // Rows of the message (?1 delivery, ?2 broadlog id).
  const char* of_message = nullptr;
};

// In the order of files and tables. Attribute columns (a1, a2...) and the further tables of
// profiles (profile_2...) are meant by `profile`.
absl::Span<const PersonTable> ProfilesTables();
absl::Span<const PersonTable> LogsTables();

// "profiles.identity".
std::string QualifiedName(const PersonTable& table);
// Where it stands in that order.
size_t PlaceOfTable(std::string_view qualified_name);
// Null: there is none.
const PersonTable* FindPersonTable(FileKind file, std::string_view name);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PERSON_DATA_H_
