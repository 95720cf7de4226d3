// What administrative writes of every resource share: etags and the errors of a missing, an
// existing or a used one. WriteAdmin (file.h) adds request keys and validate_only.
#ifndef PASSERELLE_STORAGE_SQLITE_ADMIN_WRITE_H_
#define PASSERELLE_STORAGE_SQLITE_ADMIN_WRITE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "storage/stream_store.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// The etag of a row: its revision (the sequence of its last change) as text.
std::string EtagOf(int64_t revision);

// ABORTED kEtagMismatch (metadata "etag": the present one) unless the caller gave none or this one.
absl::Status CheckEtag(const AdminWrite& write, const std::string& present);

// `kind` is the word for people: "attribute", "destination".
absl::Status MissingError(std::string_view kind, std::string_view id);   // NOT_FOUND kNotFound
absl::Status ExistingError(std::string_view kind, std::string_view id);  // kAlreadyExists
// FAILED_PRECONDITION kInUse, metadata "dependents": the first 20, separated by commas.
absl::Status InUseError(std::string_view kind, std::string_view id,
                        const std::vector<std::string>& dependents);
// FAILED_PRECONDITION kNotPaused: a destination or source is paused before it is deleted.
absl::Status NotPausedError(std::string_view kind, std::string_view id);

// Lists: read OneMore than the page holds, then cut it into a page whose `next` says whether more
// follows. T has an `id`, or IdOf(item) finds it.
inline PageRequest OneMore(const PageRequest& page) { return {page.after, page.limit + 1}; }
template <class T>
const std::string& IdOf(const T& item) {
  return item.id;
}
inline const std::string& IdOf(const StreamState& stream) { return stream.stream; }
template <class T>
Page<T> PageOf(std::vector<T> items, int32_t limit) {
  Page<T> page;
  const bool more = static_cast<int64_t>(items.size()) > limit;
  if (more) items.resize(static_cast<size_t>(limit));
  if (more && !items.empty()) page.next = IdOf(items.back());
  page.items = std::move(items);
  return page;
}

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_ADMIN_WRITE_H_
