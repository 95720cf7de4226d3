#include "server/convert/keys.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "server/convert/hash.h"
#include "server/convert/text.h"

namespace passerelle {
namespace {

constexpr std::size_t kMaxKeys = 64;
constexpr std::size_t kMaxKeyFileBytes = 64 * 1024;
constexpr std::size_t kMasterHexDigits = 64;
constexpr std::size_t kIdHexDigits = 8;
constexpr std::string_view kPurposeNames[kKeyPurposeCount] = {"cursor", "page_token", "record_key"};
constexpr char kHeader[] =
    "# Passerelle master keys: the first signs, all verify. Keep this file private (mode 0600) "
    "and\n"
    "# back it up apart from the data.\n";

// Closes what it holds; one owner.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

absl::Status FileProblem(const std::string& path, std::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat("key file ", path, ": ", AbslView(what)));
}

absl::Status SystemProblem(const std::string& path, std::string_view doing, int error) {
  return FileProblem(path, absl::StrCat("cannot ", AbslView(doing), ": ", std::strerror(error)));
}

absl::Status LineProblem(std::size_t line, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", AbslView(what)));
}

bool IsHex(std::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isxdigit(c)) return false;
  }
  return !text.empty();
}

absl::Status CheckPrivate(const std::string& path, int descriptor) {
  struct stat info;
  if (::fstat(descriptor, &info) != 0) return SystemProblem(path, "read its mode", errno);
  if (!S_ISREG(info.st_mode))
    return FileProblem(path,
                       "not a regular file, wanted the master key file; --key-file names another");
  if ((info.st_mode & 077) != 0) {
    return FileProblem(path, absl::StrFormat("mode %04o lets others in, wanted 0600 (chmod 600)",
                                             info.st_mode & 07777));
  }
  if (info.st_uid != ::geteuid()) {
    return FileProblem(path, absl::StrCat("owned by user ", info.st_uid, ", wanted ", ::geteuid(),
                                          ", who runs the server (chown)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAll(const std::string& path, int descriptor) {
  std::string text(kMaxKeyFileBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(descriptor, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemProblem(path, "read it", errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMaxKeyFileBytes)
    return FileProblem(
        path, "more than 64 KiB, so it is no key file; put the master key file of this store back");
  text.resize(size);
  return text;
}

absl::Status WriteAll(const std::string& path, int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(descriptor, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return SystemProblem(path, "write it", errno);
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (::fsync(descriptor) != 0) return SystemProblem(path, "sync it", errno);
  return absl::OkStatus();
}

absl::StatusOr<std::string> NewKeyFileText() {
  std::string bytes(4 + 32, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) !=
      1) {
    return absl::InternalError("no random bytes for a new master key");
  }
  return absl::StrCat(kHeader, "key ", absl::BytesToHexString(bytes.substr(0, 4)), " ",
                      absl::BytesToHexString(bytes.substr(4)), "\n");
}

void SyncFolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const File opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() >= 0) ::fsync(opened.get());
}

// Written beside its place and linked into it, so that a crash leaves no half file and a file that
// another server made meanwhile wins.
absl::Status CreateKeyFile(const std::string& path) {
  absl::StatusOr<std::string> text = NewKeyFileText();
  if (!text.ok()) return text.status();
  const std::string draft = absl::StrCat(path, ".new.", ::getpid());
  ::unlink(draft.c_str());
  absl::Status status;
  {
    const File file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                           S_IRUSR | S_IWUSR));
    if (file.get() < 0) return SystemProblem(path, "create it", errno);
    status = WriteAll(path, file.get(), *text);
  }
  if (status.ok() && ::link(draft.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    status = SystemProblem(path, "create it", errno);
  }
  ::unlink(draft.c_str());
  SyncFolderOf(path);
  return status;
}

absl::StatusOr<KeyRing> ReadKeyFile(const std::string& path, int descriptor) {
  if (absl::Status status = CheckPrivate(path, descriptor); !status.ok()) return status;
  absl::StatusOr<std::string> text = ReadAll(path, descriptor);
  if (!text.ok()) return text.status();
  absl::StatusOr<KeyRing> ring = KeyRing::Parse(*text);
  if (ring.ok()) return ring;
  return FileProblem(path, absl::StrCat(std::string(ring.status().message()),
                                        "; put the master key file of this store back"));
}

int OpenForReading(const std::string& path) {
  // Non-blocking, so that a FIFO in its place is refused instead of waited for.
  return ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

}  // namespace

absl::StatusOr<KeyRing> KeyRing::OpenOrCreate(const std::string& path) {
  int descriptor = OpenForReading(path);
  if (descriptor < 0 && errno == ENOENT) {
    if (absl::Status status = CreateKeyFile(path); !status.ok()) return status;
    descriptor = OpenForReading(path);
  }
  if (descriptor < 0 && errno == ELOOP) {
    return FileProblem(path, "a symbolic link, wanted the file itself; name that with --key-file");
  }
  if (descriptor < 0) return SystemProblem(path, "open it", errno);
  const File file(descriptor);
  return ReadKeyFile(path, file.get());
}

absl::StatusOr<KeyRing> KeyRing::Parse(std::string_view text) {
  KeyRing ring;
  std::size_t number = 0;
  for (const absl::string_view line : absl::StrSplit(AbslView(text), '\n')) {
    ++number;
    const std::string_view content = TrimAscii(StdView(line));
    if (content.empty() || content.front() == '#') continue;
    const std::vector<std::string> words =
        absl::StrSplit(AbslView(content), absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.size() != 3 || words[0] != "key" || words[1].size() != kIdHexDigits ||
        !IsHex(words[1]) || words[2].size() != kMasterHexDigits || !IsHex(words[2])) {
      return LineProblem(number, "wanted: key, an id of 8 hex digits, 64 hex digits");
    }
    Key key;
    if (!absl::SimpleHexAtoi(words[1], &key.id)) return LineProblem(number, "malformed id");
    if (ring.FindSubkey(key.id, KeyPurpose::kCursor) != nullptr) {
      return LineProblem(number, "this key id appears twice");
    }
    const std::string master = absl::HexStringToBytes(words[2]);
    for (std::size_t i = 0; i < kKeyPurposeCount; ++i) {
      const Sha256Digest subkey = HkdfSha256({master, "passerelle", kPurposeNames[i]});
      key.subkeys[i].assign(subkey.begin(), subkey.end());
    }
    if (ring.keys_.size() == kMaxKeys) return LineProblem(number, "more than 64 keys");
    ring.keys_.push_back(std::move(key));
  }
  if (ring.keys_.empty()) return absl::InvalidArgumentError("no key in it, wanted one");
  return ring;
}

const std::string* KeyRing::FindSubkey(uint32_t id, KeyPurpose purpose) const {
  for (const Key& key : keys_) {
    if (key.id == id) return &key.subkeys[static_cast<std::size_t>(purpose)];
  }
  return nullptr;
}

}  // namespace passerelle
