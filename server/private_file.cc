#include "server/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/convert/text.h"

namespace passerelle {
namespace {

constexpr std::size_t kMaxBytes = 64 * 1024;

// Closes what it holds; one owner.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }

 private:
  int number_;
};

absl::Status Problem(const PrivateFile& file, std::string_view what) {
  return absl::FailedPreconditionError(
      absl::StrCat(AbslView(file.kind), " ", file.path, ": ", AbslView(what)));
}

absl::Status SystemProblem(const PrivateFile& file, std::string_view doing, int error) {
  return Problem(file, absl::StrCat("cannot ", AbslView(doing), ": ", std::strerror(error)));
}

absl::Status CheckPrivate(const PrivateFile& file, int descriptor) {
  struct stat info;
  if (::fstat(descriptor, &info) != 0) return SystemProblem(file, "read its mode", errno);
  if (!S_ISREG(info.st_mode)) {
    return Problem(file, absl::StrCat("not a regular file, wanted ", AbslView(file.wanted), "; ",
                                      AbslView(file.flag), " names another"));
  }
  if ((info.st_mode & 077) != 0) {
    return Problem(file, absl::StrFormat("mode %04o lets others in, wanted 0600 (chmod 600)",
                                         info.st_mode & 07777));
  }
  if (info.st_uid != ::geteuid()) {
    return Problem(file, absl::StrCat("owned by user ", info.st_uid, ", wanted ", ::geteuid(),
                                      ", who runs the server (chown)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAll(const PrivateFile& file, int descriptor) {
  std::string text(kMaxBytes + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(descriptor, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemProblem(file, "read it", errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kMaxBytes) {
    return Problem(file, absl::StrCat("more than 64 KiB, so it is no key file; put ",
                                      AbslView(file.wanted), " of this store back"));
  }
  text.resize(size);
  return text;
}

absl::Status WriteAll(const PrivateFile& file, int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(descriptor, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return SystemProblem(file, "write it", errno);
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  if (::fsync(descriptor) != 0) return SystemProblem(file, "sync it", errno);
  return absl::OkStatus();
}

void SyncFolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.get() >= 0) ::fsync(opened.get());
}

}  // namespace

absl::StatusOr<std::optional<std::string>> PrivateFile::Read() const {
  // Non-blocking, so that a FIFO in its place is refused instead of waited for.
  const Descriptor opened(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (opened.get() < 0 && errno == ENOENT) return std::optional<std::string>();
  if (opened.get() < 0 && errno == ELOOP) {
    return Problem(*this, absl::StrCat("a symbolic link, wanted the file itself; name that with ",
                                       AbslView(flag)));
  }
  if (opened.get() < 0) return SystemProblem(*this, "open it", errno);
  if (absl::Status status = CheckPrivate(*this, opened.get()); !status.ok()) return status;
  absl::StatusOr<std::string> text = ReadAll(*this, opened.get());
  if (!text.ok()) return text.status();
  return std::optional<std::string>(*std::move(text));
}

// Written beside its place and linked into it, so that a crash leaves no half file and a file that
// another server made meanwhile wins.
absl::Status PrivateFile::Create(std::string_view text) const {
  const std::string draft = absl::StrCat(path, ".new.", ::getpid());
  ::unlink(draft.c_str());
  absl::Status status;
  {
    const Descriptor made(::open(
        draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (made.get() < 0) return SystemProblem(*this, "create it", errno);
    status = WriteAll(*this, made.get(), text);
  }
  if (status.ok() && ::link(draft.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    status = SystemProblem(*this, "create it", errno);
  }
  ::unlink(draft.c_str());
  SyncFolderOf(path);
  return status;
}

}  // namespace passerelle
