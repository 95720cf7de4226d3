#include "storage/sqlite/migrations.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/folders.h"
#include "storage/sqlite/run.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

using absl::StatusCode;

constexpr char kHasMeta[] = "SELECT count(*) FROM sqlite_schema WHERE name = 'meta'";
constexpr char kGetMeta[] = "SELECT value FROM meta WHERE key = ?1";
constexpr char kAddMeta[] = "INSERT INTO meta(key, value) VALUES (?1, ?2)";

// False: the file is shorter.
absl::StatusOr<bool> ReadBeginning(const std::string& path, size_t size, char* bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return IoError("cannot open", path, strerror(errno));
  const ssize_t got = read(fd, bytes, size);
  const int cause = errno;
  close(fd);
  if (got < 0) return IoError("cannot read", path, strerror(cause));
  return static_cast<size_t>(got) == size;
}

// The 100 bytes at the start of each SQLite database file (see "Database File Format").
class FileHeader {
 public:
  static constexpr size_t kSize = 100;
  // UNAVAILABLE kIoError: it cannot be opened. False: it is shorter.
  absl::StatusOr<bool> Read(const std::string& path) {
    return ReadBeginning(path, kSize, bytes_.data());
  }
  bool IsSqlite() const {
    return std::string_view(bytes_.data(), 16) == std::string_view("SQLite format 3\0", 16);
  }
  int64_t PageSize() const {
    const int64_t size = (Byte(16) << 8) | Byte(17);
    return size == 1 ? 65'536 : size;
  }
  int64_t PageCount() const { return Big32(28); }
  // The count is kept by SQLite 3.7 and later, which marks it valid this way.
  bool PageCountIsValid() const { return Big32(24) == Big32(92); }
  int64_t Schema() const { return Big32(60); }
  int32_t ApplicationId() const { return static_cast<int32_t>(Big32(68)); }

 private:
  int64_t Byte(size_t at) const { return static_cast<unsigned char>(bytes_[at]); }
  int64_t Big32(size_t at) const {
    return (Byte(at) << 24) | (Byte(at + 1) << 16) | (Byte(at + 2) << 8) | Byte(at + 3);
  }
  std::array<char, kSize> bytes_{};
};

absl::Status Damaged(const std::string& path, absl::string_view how) {
  return MakeError(StatusCode::kDataLoss, Reason::kDamagedFile, absl::StrCat(path, ": ", how),
                   {{"file", path}});
}

absl::Status CheckOrigin(const std::string& path, FileKind kind, int32_t application_id,
                         int64_t schema) {
  if (application_id != ApplicationId(kind)) {
    return MakeError(StatusCode::kFailedPrecondition, Reason::kForeignFile,
                     absl::StrCat(path, ": application_id is ", application_id, ", a Passerelle ",
                                  absl::string_view(FileKindName(kind).data()), " file has ",
                                  ApplicationId(kind)),
                     {{"file", path}});
  }
  if (schema > NewestSchema(kind)) {
    return MakeError(StatusCode::kFailedPrecondition, Reason::kNewerSchema,
                     absl::StrCat(path, ": schema ", schema, ", this version knows schemas up to ",
                                  NewestSchema(kind)),
                     {{"file", path}});
  }
  return absl::OkStatus();
}

absl::Status ApplyOne(Database& db, const EmbeddedMigration& migration) {
  return RunTransaction(db, absl::StrCat("migration ", migration.name), [&] {
    db.Execute(migration.sql);
    db.Execute(absl::StrCat("PRAGMA user_version=", migration.number).c_str());
    return absl::OkStatus();
  });
}

// The 32 bytes at the start of each write-ahead log: magic, format, page size, checkpoint, two
// salts, two checksums over what is before them (see "The WAL Header").
class LogHeader {
 public:
  static constexpr size_t kSize = 32;
  absl::StatusOr<bool> Read(const std::string& path) {
    return ReadBeginning(path, kSize, bytes_.data());
  }
  // A new log whose first bytes a power loss took: nothing that was acknowledged is in it.
  bool IsNothing() const {
    return std::all_of(bytes_.begin(), bytes_.end(), [](char byte) { return byte == 0; });
  }
  bool IsSound() const {
    const uint32_t magic = Word(0, true);
    if ((magic & ~1u) != 0x377f0682) return false;
    const bool big_endian = (magic & 1) != 0;
    uint32_t a = 0;
    uint32_t b = 0;
    for (size_t at = 0; at < 24; at += 8) {
      a += Word(at, big_endian) + b;
      b += Word(at + 4, big_endian) + a;
    }
    return a == Word(24, true) && b == Word(28, true);
  }

 private:
  uint32_t Word(size_t at, bool big_endian) const {
    uint32_t word = 0;
    for (size_t i = 0; i < 4; ++i) {
      const size_t from = big_endian ? at + i : at + 3 - i;
      word = (word << 8) | static_cast<unsigned char>(bytes_[from]);
    }
    return word;
  }
  std::array<char, kSize> bytes_{};
};

// SQLite takes a log that is not one as an empty log and begins a new one over it.
absl::Status CheckLog(const std::string& path) {
  LogHeader header;
  ASSIGN_OR_RETURN(const bool whole, header.Read(path));
  if (!whole || header.IsNothing() || header.IsSound()) return absl::OkStatus();
  return Damaged(path, "not a write-ahead log, though it lies in the place of one");
}

int NewestOf(const std::vector<EmbeddedMigration>& all, FileKind kind) {
  int newest = 0;
  for (const EmbeddedMigration& migration : all) {
    if (migration.file == FileKindName(kind)) newest = std::max(newest, migration.number);
  }
  return newest;
}

absl::Status WriteMeta(Database& db, FileKind kind, const FileIdentity& identity) {
  return RunTransaction(db, "writing meta", [&] {
    Statement add(db.handle(), kAddMeta);
    const auto text = [&](const char* key, std::string_view value) {
      add.BindText(1, key).BindText(2, value).Run();
    };
    const auto number = [&](const char* key, int64_t value) {
      add.BindText(1, key).BindInt(2, value).Run();
    };
    text("set_id", identity.set_id);
    text("kind", FileKindName(kind));
    text("instance_id", identity.instance_id);
    number("epoch", 1);
    number("next_seq", 1);
    number("last_commit_us", 0);
    return absl::OkStatus();
  });
}

absl::Status FillNewFile(const std::string& path, FileKind kind, const FileIdentity& identity) {
  DatabaseOptions options;
  options.path = path;
  options.access = Access::kCreate;
  options.page_size_bytes = PageSizeBytes(kind);
  ASSIGN_OR_RETURN(auto db, OpenDatabase(options));
  RETURN_IF_ERROR(RunRead(*db, "creating a file", [&] {
    db->Execute(absl::StrCat("PRAGMA application_id=", ApplicationId(kind)).c_str());
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(Migrate(*db, kind));
  RETURN_IF_ERROR(WriteMeta(*db, kind, identity));
  return CloseComplete(std::move(db));
}

}  // namespace

std::string_view FileKindName(FileKind kind) {
  switch (kind) {
    case FileKind::kControl:
      return "control";
    case FileKind::kProfiles:
      return "profiles";
    case FileKind::kLogs:
      break;
  }
  return "logs";
}

int32_t ApplicationId(FileKind kind) {
  switch (kind) {
    case FileKind::kControl:
      return 0x50535243;  // "PSRC"
    case FileKind::kProfiles:
      return 0x50535250;  // "PSRP"
    case FileKind::kLogs:
      break;
  }
  return 0x5053524c;  // "PSRL"
}

int PageSizeBytes(FileKind kind) { return kind == FileKind::kLogs ? 8'192 : 4'096; }

int NewestSchema(FileKind kind) { return NewestOf(EmbeddedMigrations(), kind); }

absl::Status CheckFileHeader(const std::string& path, FileKind kind) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return Damaged(path, "the file is missing");
    return IoError("cannot open", path, strerror(errno));
  }
  const int64_t size = info.st_size;
  if (size == 0) return Damaged(path, "the file is empty");
  FileHeader header;
  ASSIGN_OR_RETURN(const bool whole, header.Read(path));
  if (!whole) return Damaged(path, "the file is too short to be a database");
  if (!header.IsSqlite()) return Damaged(path, "not a database file");
  RETURN_IF_ERROR(CheckOrigin(path, kind, header.ApplicationId(), header.Schema()));
  // While a write-ahead log waits, a checkpoint may have been interrupted half way: that is no
  // damage.
  const std::string log = absl::StrCat(path, "-wal");
  const bool log_is_empty = SizeOfFile(log) <= 0;
  if (!log_is_empty) RETURN_IF_ERROR(CheckLog(log));
  if (log_is_empty && header.PageCountIsValid() && size < header.PageCount() * header.PageSize()) {
    return Damaged(path, absl::StrCat("truncated: ", size, " bytes, expected ",
                                      header.PageCount() * header.PageSize()));
  }
  return absl::OkStatus();
}

absl::Status CreateFile(const std::string& path, FileKind kind, const FileIdentity& identity) {
  if (Exists(path)) return absl::AlreadyExistsError(absl::StrCat(path, " exists"));
  return FillNewFile(path, kind, identity);
}

absl::Status CloseComplete(std::unique_ptr<Database> db) {
  const std::string path = db->path();
  ASSIGN_OR_RETURN(const auto result, Checkpoint(*db, CheckpointMode::kTruncate));
  db.reset();
  if (result != CheckpointResult::kComplete) {
    return MakeError(StatusCode::kResourceExhausted, Reason::kDiskFull,
                     absl::StrCat(path, ": no space for its log's content"), {{"file", path}});
  }
  unlink(absl::StrCat(path, "-wal").c_str());
  unlink(absl::StrCat(path, "-shm").c_str());
  return absl::OkStatus();
}

absl::Status Migrate(Database& db, FileKind kind) {
  return MigrateWith(db, kind, EmbeddedMigrations());
}

absl::Status MigrateWith(Database& db, FileKind kind, const std::vector<EmbeddedMigration>& all) {
  int64_t schema = 0;
  RETURN_IF_ERROR(RunRead(db, "reading the schema's version", [&] {
    schema = db.QueryInt("PRAGMA user_version");
    const auto application_id = static_cast<int32_t>(db.QueryInt("PRAGMA application_id"));
    return CheckOrigin(db.path(), kind, application_id, 0);
  }));
  if (schema > NewestOf(all, kind))
    return CheckOrigin(db.path(), kind, ApplicationId(kind), schema);
  for (const EmbeddedMigration& migration : all) {
    if (migration.file != FileKindName(kind) || migration.number <= schema) continue;
    if (migration.number != schema + 1) {
      return absl::InternalError(absl::StrCat("migration ", migration.name, ": expected number ",
                                              schema + 1, ", the numbers must have no gaps"));
    }
    RETURN_IF_ERROR(ApplyOne(db, migration));
    schema = migration.number;
  }
  return absl::OkStatus();
}

absl::StatusOr<FileMeta> ReadMeta(Database& db) {
  FileMeta meta;
  std::string missing;
  RETURN_IF_ERROR(RunRead(db, "reading meta", [&] {
    if (db.QueryInt(kHasMeta) == 0) return Damaged(db.path(), "it has no meta table");
    const auto read = [&](const char* key, auto take) {
      StatementScope get(db.Prepared(kGetMeta));
      get->BindText(1, key);
      get->Step() ? take(*get) : static_cast<void>(missing = key);
    };
    const auto text = [&](const char* key, std::string& out) {
      read(key, [&](Statement& row) { out = std::string(row.Text(0)); });
    };
    const auto number = [&](const char* key, int64_t& out) {
      read(key, [&](Statement& row) { out = row.Int(0); });
    };
    number("log_applied_seq", meta.log_applied_seq);
    missing.clear();
    text("set_id", meta.identity.set_id);
    text("kind", meta.kind);
    text("instance_id", meta.identity.instance_id);
    number("epoch", meta.epoch);
    number("next_seq", meta.next_seq);
    number("last_commit_us", meta.last_commit_us);
    meta.schema = static_cast<int>(db.QueryInt("PRAGMA user_version"));
    return absl::OkStatus();
  }));
  if (missing.empty()) return meta;
  return Damaged(db.path(), absl::StrCat("meta has no ", missing));
}

}  // namespace passerelle::storage::sqlite
