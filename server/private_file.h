// Small files that hold secrets: read only when nobody else can, made whole or not at all.
#ifndef PASSERELLE_SERVER_PRIVATE_FILE_H_
#define PASSERELLE_SERVER_PRIVATE_FILE_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace passerelle {

// Errors are FAILED_PRECONDITION: path, cause and what to do, never the content.
struct PrivateFile {
  std::string path;
  std::string_view kind;    // how errors begin: "key file"
  std::string_view wanted;  // what should be there: "the master key file"
  std::string_view flag;    // names another path: "--key-file"

  // Its text, at most 64 KiB; nullopt if nothing is there. Refuses a symbolic link, anything but a
  // regular file, a mode that lets group or others in, and another owner than this process's user.
  absl::StatusOr<std::optional<std::string>> Read() const;

  // Makes it (mode 0600, synced, complete or absent). One that somebody else made meanwhile stays.
  absl::Status Create(std::string_view text) const;

  // Puts what `edit` makes of its text in its place: whoever reads it meanwhile, or after a crash,
  // has the old text or the new one, and the mode stays. Refuses what Read refuses, a file that is
  // missing, and one that is being edited; then, and when `edit` fails, nothing is changed.
  absl::Status Edit(
      const std::function<absl::StatusOr<std::string>(const std::string&)>& edit) const;
};

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_PRIVATE_FILE_H_
