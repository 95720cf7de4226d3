#include "server/access/admin_key.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/access/key_text.h"
#include "server/convert/text.h"
#include "server/private_file.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr char kAdmin[] = "admin";  // the credential's id, and its role

absl::Status WriteNewKey(const PrivateFile& file) {
  const std::string secret = MakeSecret();
  if (secret.empty()) return absl::InternalError("no random bytes for the admin key");
  return file.Create(absl::StrCat(FormatKey({kAdmin, secret}), "\n"));
}

absl::StatusOr<KeyText> ReadKey(const PrivateFile& file) {
  ASSIGN_OR_RETURN(const std::optional<std::string> text, file.Read());
  const auto key = ParseKey(TrimAscii(text.value_or("")));
  if (key.has_value()) return *key;
  return absl::FailedPreconditionError(absl::StrCat(
      "admin key file ", file.path, ": no key in it; move it away, and a new one is made"));
}

}  // namespace

absl::Status CreateAdmin(const std::string& path, storage::AccessStore& store) {
  const PrivateFile file{path, "admin key file", "the key of the first administrator",
                         "--admin-key-file"};
  ASSIGN_OR_RETURN(const std::optional<std::string> present, file.Read());
  if (!present.has_value()) RETURN_IF_ERROR(WriteNewKey(file));
  ASSIGN_OR_RETURN(const KeyText key, ReadKey(file));
  storage::Credential admin;
  admin.id = key.id;
  admin.display_name = "Made at the first start";
  admin.roles = {kAdmin};
  admin.secret_hash = HashSecret(key.secret);
  return store.CreateCredential(admin).status();
}

}  // namespace passerelle
