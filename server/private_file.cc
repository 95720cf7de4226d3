#include "server/private_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/convert/text.h"
#include "storage/fault_point.h"
#include "storage/status.h"

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

bool SyncFolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return opened.get() >= 0 && ::fsync(opened.get()) == 0;
}

// -1 with errno. Non-blocking, so that a FIFO in its place is refused instead of waited for.
int OpenToRead(const std::string& path) {
  return ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

absl::Status OpenProblem(const PrivateFile& file, int error) {
  if (error != ELOOP) return SystemProblem(file, "open it", error);
  return Problem(file, absl::StrCat("a symbolic link, wanted the file itself; name that with ",
                                    AbslView(file.flag)));
}

// Holds it for one editor; false: it is another's, or another put a new file in its place.
bool LockPresent(const std::string& path, int descriptor) {
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) return false;
  struct stat held, present;
  return ::fstat(descriptor, &held) == 0 && ::lstat(path.c_str(), &present) == 0 &&
         held.st_ino == present.st_ino && held.st_dev == present.st_dev;
}

// Writes the draft of a file: all of it, synced, or an error.
absl::Status WriteDraft(const PrivateFile& file, const std::string& draft, std::string_view text) {
  ::unlink(draft.c_str());
  const Descriptor made(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                               S_IRUSR | S_IWUSR));
  if (made.get() < 0) return SystemProblem(file, "create it", errno);
  return WriteAll(file, made.get(), text);
}

}  // namespace

absl::StatusOr<std::optional<std::string>> PrivateFile::Read() const {
  const Descriptor opened(OpenToRead(path));
  if (opened.get() < 0 && errno == ENOENT) return std::optional<std::string>();
  if (opened.get() < 0) return OpenProblem(*this, errno);
  if (absl::Status status = CheckPrivate(*this, opened.get()); !status.ok()) return status;
  absl::StatusOr<std::string> text = ReadAll(*this, opened.get());
  if (!text.ok()) return text.status();
  return std::optional<std::string>(*std::move(text));
}

// Written beside its place and linked into it, so that a crash leaves no half file and a file that
// another server made meanwhile wins.
absl::Status PrivateFile::Create(std::string_view text) const {
  const std::string draft = absl::StrCat(path, ".new.", ::getpid());
  absl::Status status = WriteDraft(*this, draft, text);
  if (status.ok() && ::link(draft.c_str(), path.c_str()) != 0 && errno != EEXIST) {
    status = SystemProblem(*this, "create it", errno);
  }
  ::unlink(draft.c_str());
  SyncFolderOf(path);
  return status;
}

// A draft that a crash left is as private as the file; the next edit removes it.
absl::Status PrivateFile::Edit(
    const std::function<absl::StatusOr<std::string>(const std::string&)>& edit) const {
  const Descriptor opened(OpenToRead(path));
  if (opened.get() < 0) return OpenProblem(*this, errno);
  RETURN_IF_ERROR(CheckPrivate(*this, opened.get()));
  if (!LockPresent(path, opened.get())) {
    return Problem(*this, "is being changed by somebody else; try again");
  }
  ASSIGN_OR_RETURN(const std::string text, ReadAll(*this, opened.get()));
  ASSIGN_OR_RETURN(const std::string edited, edit(text));
  struct stat info;
  if (::fstat(opened.get(), &info) != 0) return SystemProblem(*this, "read its mode", errno);
  const std::string draft = path + ".new";
  absl::Status status = WriteDraft(*this, draft, edited);
  FAULT_POINT("edit-before-rename");
  if (status.ok() && (::chmod(draft.c_str(), info.st_mode & 07777) != 0 ||
                      ::rename(draft.c_str(), path.c_str()) != 0)) {
    status = SystemProblem(*this, "replace it", errno);
  }
  FAULT_POINT("edit-after-rename");
  if (!status.ok()) {
    ::unlink(draft.c_str());
    return status;
  }
  return SyncFolderOf(path) ? status : SystemProblem(*this, "sync its folder", errno);
}

}  // namespace passerelle
