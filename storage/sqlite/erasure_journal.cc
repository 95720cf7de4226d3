#include "storage/sqlite/erasure_journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "storage/reason.h"
#include "storage/sqlite/folders.h"
#include "storage/sqlite/json_text.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

using absl::StatusCode;

constexpr char kMacDomain[] = "passerelle erasure journal";
constexpr char kMacField[] = ",\"mac\":\"";

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

absl::Status Damaged(const std::string& path, absl::string_view how) {
  return MakeError(StatusCode::kDataLoss, Reason::kDamagedFile,
                   absl::StrCat("erasure journal ", path, ": ", how,
                                "; put back a sound copy: without it people who were erased "
                                "could come back with a backup"),
                   {{"file", path}});
}

std::string KeyText(uint32_t key) { return absl::StrFormat("%08x", key); }

std::string TimeText(int64_t us) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", absl::FromUnixMicros(us), absl::UTCTimeZone());
}

// The text of a field; empty when it is not there. No value of ours needs an escape.
std::string_view FieldOf(std::string_view line, std::string_view name) {
  const std::string begin = absl::StrCat("\"", View(name), "\":\"");
  const size_t at = line.find(begin);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + begin.size());
  return line.substr(0, std::min(line.find('"'), line.size()));
}

std::vector<std::string> HashesIn(std::string_view line) {
  const size_t begin = line.find("\"hashes\":[");
  const size_t end = line.find(']', begin);
  std::vector<std::string> hashes;
  if (begin == std::string_view::npos || end == std::string_view::npos) return hashes;
  for (const std::string& hex : DecodeJsonList(line.substr(begin + 9, end + 1 - begin - 9))) {
    hashes.push_back(absl::HexStringToBytes(hex));
  }
  return hashes;
}

uint32_t KeyOf(std::string_view text) {
  uint32_t key = 0;
  return absl::SimpleHexAtoi(View(text), &key) ? key : 0;
}

// A descriptor that closes itself.
class OpenedFile {
 public:
  OpenedFile(const std::string& path, int flags) : fd_(open(path.c_str(), flags, 0600)) {}
  ~OpenedFile() {
    if (fd_ >= 0) close(fd_);
  }
  OpenedFile(const OpenedFile&) = delete;
  OpenedFile& operator=(const OpenedFile&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  const int fd_;
};

absl::Status Failed(absl::string_view what, const std::string& path) {
  return IoError(what, path, strerror(errno));
}

absl::StatusOr<std::optional<std::string>> ReadWhole(const std::string& path) {
  const OpenedFile file(path, O_RDONLY | O_CLOEXEC);
  if (!file.ok() && errno == ENOENT) return std::optional<std::string>();
  if (!file.ok()) return Failed("cannot open", path);
  std::string text;
  char block[64 * 1024];
  while (true) {
    const ssize_t got = read(file.get(), block, sizeof(block));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed("cannot read", path);
    if (got == 0) return std::optional<std::string>(std::move(text));
    text.append(block, static_cast<size_t>(got));
  }
}

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return Failed("cannot write", path);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return absl::OkStatus();
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

absl::StatusOr<std::shared_ptr<ErasureJournal>> ErasureJournal::Open(Place place) {
  std::shared_ptr<ErasureJournal> journal(new ErasureJournal(std::move(place)));
  ASSIGN_OR_RETURN(auto text, ReadWhole(journal->path()));
  const bool has_line = text.has_value() && text->find('\n') != std::string::npos;
  if (!has_line) return std::shared_ptr<ErasureJournal>();
  absl::MutexLock lock(&journal->mutex_);
  RETURN_IF_ERROR(journal->TakeAll(*text, nullptr));
  return journal;
}

absl::StatusOr<std::shared_ptr<ErasureJournal>> ErasureJournal::Create(Place place,
                                                                       int64_t now_us) {
  std::shared_ptr<ErasureJournal> journal(new ErasureJournal(std::move(place)));
  std::random_device random;
  journal->id_ = (int64_t{random()} << 31 ^ random()) & INT64_MAX;
  journal->id_ = std::max<int64_t>(journal->id_, 1);
  absl::MutexLock lock(&journal->mutex_);
  const std::string line = journal->Sealed(absl::StrCat("{\"journal\":\"", journal->id_,
                                                        "\",\"set\":\"", journal->place_.set_id,
                                                        "\",\"time\":\"", TimeText(now_us), "\""));
  RETURN_IF_ERROR(journal->Write(line, 0));
  RETURN_IF_ERROR(SyncDirectory(FolderOf(journal->path())));
  journal->bytes_ = static_cast<int64_t>(line.size());
  return journal;
}

int64_t ErasureJournal::last() const {
  absl::MutexLock lock(&mutex_);
  return last_;
}

// Ends a line with its MAC, and remembers that for the next one.
std::string ErasureJournal::Sealed(std::string text) {
  mutex_.AssertHeld();
  const uint32_t key = place_.keys->Keys().front();
  absl::StrAppend(&text, ",\"mac_key\":\"", KeyText(key), "\"");
  last_mac_ = absl::BytesToHexString(
      place_.keys->AuditMac(key, absl::StrCat(kMacDomain, "\n", last_mac_, "\n", text)));
  return absl::StrCat(text, kMacField, last_mac_, "\"}\n");
}

// Whatever an append that failed has left behind goes first.
absl::Status ErasureJournal::Write(const std::string& line, int64_t at) const {
  const OpenedFile file(path(), O_WRONLY | O_CREAT | O_CLOEXEC);
  if (!file.ok()) return Failed("cannot open", path());
  struct stat info;
  if (fstat(file.get(), &info) != 0) return Failed("cannot look at", path());
  if (info.st_size < at) {
    return Damaged(path(), absl::StrCat("it has ", info.st_size, " bytes, and had ", at));
  }
  if (ftruncate(file.get(), at) != 0) return Failed("cannot cut", path());
  if (lseek(file.get(), at, SEEK_SET) != at) return Failed("cannot seek in", path());
  RETURN_IF_ERROR(WriteAll(file.get(), line, path()));
  return fsync(file.get()) == 0 ? absl::OkStatus() : Failed("cannot sync", path());
}

absl::Status ErasureJournal::TakeAll(std::string_view text, std::vector<JournalEntry>* entries) {
  mutex_.AssertHeld();
  last_ = bytes_ = 0;
  last_mac_.clear();
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    RETURN_IF_ERROR(Take(text.substr(0, end), entries));
    bytes_ += static_cast<int64_t>(end) + 1;
    text.remove_prefix(end + 1);
  }
  return absl::OkStatus();
}

absl::Status ErasureJournal::Take(std::string_view line, std::vector<JournalEntry>* entries) {
  mutex_.AssertHeld();
  const bool is_first = bytes_ == 0;
  const std::string where = is_first ? "its first line" : absl::StrCat("entry ", last_ + 1);
  const size_t mac_at = line.rfind(kMacField);
  if (mac_at == std::string_view::npos) return Damaged(path(), where + " is no entry");
  const uint32_t key = KeyOf(FieldOf(line, "mac_key"));
  const std::string text(line.substr(0, mac_at));
  const std::string mac =
      place_.keys->AuditMac(key, absl::StrCat(kMacDomain, "\n", last_mac_, "\n", text));
  if (mac.empty()) {
    return MakeError(StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing,
                     absl::StrCat("erasure journal ", path(), ": ", where,
                                  " was made with master "
                                  "key ",
                                  KeyText(key),
                                  ", which is not in the key file: put it "
                                  "back there, as a further line"),
                     {{"key", KeyText(key)}});
  }
  last_mac_ = absl::BytesToHexString(mac);
  if (line.substr(mac_at) != absl::StrCat(kMacField, last_mac_, "\"}")) {
    return Damaged(path(), where + " was changed, or a line before it is missing");
  }
  if (is_first) {
    if (FieldOf(line, "set") != place_.set_id) {
      return MakeError(StatusCode::kFailedPrecondition, Reason::kMixedSet,
                       absl::StrCat("erasure journal ", path(), " is of store ",
                                    View(FieldOf(line, "set")), ", this one is ", place_.set_id),
                       {{"file", path()}});
    }
    const bool valid = absl::SimpleAtoi(View(FieldOf(line, "journal")), &id_) && id_ > 0;
    return valid ? absl::OkStatus() : Damaged(path(), "its first line has no valid number");
  }
  ++last_;
  if (entries == nullptr) return absl::OkStatus();
  JournalEntry entry{last_,
                     std::string(FieldOf(line, "instance")),
                     std::string(FieldOf(line, "request")),
                     0,
                     KeyOf(FieldOf(line, "key")),
                     HashesIn(line)};
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, View(FieldOf(line, "time")), &time, &error)) {
    entry.time_us = absl::ToUnixMicros(time);
  }
  entries->push_back(std::move(entry));
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ErasureJournal::Append(const JournalEntry& entry) {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> hashes;
  for (const std::string& hash : entry.hashes) hashes.push_back(absl::BytesToHexString(hash));
  const std::string mac_before = last_mac_;
  const std::string line =
      Sealed(absl::StrCat("{\"instance\":\"", entry.instance, "\",\"request\":\"", entry.request,
                          "\",\"time\":\"", TimeText(entry.time_us), "\",\"key\":\"",
                          KeyText(entry.key), "\",\"hashes\":", EncodeJsonList(hashes)));
  if (!Exists(path())) {
    last_mac_ = mac_before;
    return IoError("cannot append to", path(), "the file was removed");
  }
  const absl::Status written = Write(line, bytes_);
  if (!written.ok()) {
    last_mac_ = mac_before;
    return written;
  }
  bytes_ += static_cast<int64_t>(line.size());
  return ++last_;
}

absl::StatusOr<std::vector<JournalEntry>> ErasureJournal::EntriesAfter(
    int64_t number, std::string_view instance) const {
  ASSIGN_OR_RETURN(const auto text, ReadWhole(path()));
  ErasureJournal reader(place_);
  std::vector<JournalEntry> entries;
  {
    absl::MutexLock lock(&reader.mutex_);
    RETURN_IF_ERROR(reader.TakeAll(text.value_or(""), &entries));
  }
  const auto is_other = [&](const JournalEntry& entry) {
    return entry.number <= number || (!instance.empty() && entry.instance != instance);
  };
  entries.erase(std::remove_if(entries.begin(), entries.end(), is_other), entries.end());
  return entries;
}

}  // namespace passerelle::storage::sqlite
