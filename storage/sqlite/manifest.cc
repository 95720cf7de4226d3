#include "storage/sqlite/manifest.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/folders.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kFormat = 1;
constexpr size_t kBlockBytes = 4 * 1024 * 1024;
constexpr size_t kManifestBytesMax = 64 * 1024 * 1024;

// SQLite reads JSON, so no other reader of it is needed here.
constexpr char kReadHead[] =
    "SELECT json_extract(?1, '$.format'), json_extract(?1, '$.name'), json_extract(?1, '$.set_id'),"
    " json_extract(?1, '$.start_us'), json_extract(?1, '$.end_us') WHERE json_valid(?1)";
constexpr char kReadFiles[] =
    "SELECT json_extract(value, '$.path'), json_extract(value, '$.kind'), "
    "json_extract(value, '$.instance'), json_extract(value, '$.bytes'), "
    "json_extract(value, '$.sha256'), json_extract(value, '$.schema'), "
    "json_extract(value, '$.epoch'), json_extract(value, '$.last_sequence'), "
    "json_extract(value, '$.last_commit_us'), json_extract(value, '$.log_applied_sequence') "
    "FROM json_each(?1, '$.files') WHERE type = 'object'";

absl::Status Damaged(const std::string& path, absl::string_view how) {
  return MakeError(absl::StatusCode::kDataLoss, Reason::kDamagedFile, absl::StrCat(path, ": ", how),
                   {{"file", path}});
}

absl::Status WriteError(const std::string& path, int cause) {
  if (cause != ENOSPC && cause != EDQUOT) return IoError("cannot write", path, strerror(cause));
  return MakeError(absl::StatusCode::kResourceExhausted, Reason::kDiskFull,
                   absl::StrCat("cannot write ", path, ": no space left"), {{"file", path}});
}

// A query over one JSON text, in a database of its own.
class JsonQuery {
 public:
  JsonQuery(const char* sql, std::string_view json) {
    sqlite3_open(":memory:", &db_);
    sqlite3_prepare_v2(db_, sql, -1, &statement_, nullptr);
    sqlite3_bind_text64(statement_, 1, json.data(), json.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  ~JsonQuery() {
    sqlite3_finalize(statement_);
    sqlite3_close(db_);
  }
  JsonQuery(const JsonQuery&) = delete;
  JsonQuery& operator=(const JsonQuery&) = delete;

  bool Next() { return sqlite3_step(statement_) == SQLITE_ROW; }
  int64_t Number(int column) { return sqlite3_column_int64(statement_, column); }
  std::string Text(int column) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return text == nullptr ? std::string() : std::string(text);
  }

 private:
  sqlite3* db_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

// Names, ids and digests, none of which holds a character that JSON escapes.
std::string Member(const char* key, const std::string& value) {
  return absl::StrCat("\"", key, "\": \"", value, "\"");
}
std::string Member(const char* key, int64_t value) {
  return absl::StrCat("\"", key, "\": ", value);
}

std::string EncodeFile(const BackupFile& file) {
  return absl::StrCat("    {", Member("path", file.path), ", ", Member("kind", file.kind), ", ",
                      Member("instance", file.instance), ",\n     ", Member("bytes", file.bytes),
                      ", ", Member("sha256", file.sha256), ",\n     ",
                      Member("schema", file.schema), ", ", Member("epoch", file.epoch), ", ",
                      Member("last_sequence", file.last_sequence), ", ",
                      Member("last_commit_us", file.last_commit_us), ", ",
                      Member("log_applied_sequence", file.log_applied_sequence), "}");
}

// Paths are made from kind and id, so that a manifest cannot lead out of its folder.
bool IsSound(const BackupFile& file) {
  const bool is_control = file.kind == FileKindName(FileKind::kControl);
  const bool known = is_control || file.kind == FileKindName(FileKind::kProfiles) ||
                     file.kind == FileKindName(FileKind::kLogs);
  if (!known || is_control != file.instance.empty()) return false;
  if (!is_control && !IsInstanceId(file.instance)) return false;
  return file.path == PathInSet(KindOf(file), file.instance) && file.bytes > 0;
}

absl::Status CheckFiles(const BackupManifest& manifest, const std::string& path) {
  std::set<std::string> paths;
  for (const BackupFile& file : manifest.files) {
    if (!IsSound(file)) return Damaged(path, "it names a file that no backup has");
    if (!paths.insert(file.path).second) return Damaged(path, "it names a file twice");
  }
  if (paths.count("control.db") == 0) return Damaged(path, "it names no control file");
  for (const BackupFile& file : manifest.files) {
    const FileKind other =
        KindOf(file) == FileKind::kProfiles ? FileKind::kLogs : FileKind::kProfiles;
    if (file.instance.empty() || paths.count(PathInSet(other, file.instance)) != 0) continue;
    return Damaged(path, absl::StrCat("instance '", file.instance, "' lacks one of its files"));
  }
  return absl::OkStatus();
}

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void Add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string Hex() {
    char bytes[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(bytes), &size);
    return absl::BytesToHexString(absl::string_view(bytes, size));
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

// A new file that is written from its beginning; nothing is written without a path.
class NewFile {
 public:
  absl::Status Open(const std::string& path) {
    path_ = path;
    if (path.empty()) return absl::OkStatus();
    fd_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd_ >= 0 ? absl::OkStatus() : WriteError(path_, errno);
  }
  ~NewFile() {
    if (fd_ >= 0) close(fd_);
  }
  absl::Status Write(std::string_view bytes) {
    while (fd_ >= 0 && !bytes.empty()) {
      const ssize_t written = write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno != EINTR) return WriteError(path_, errno);
      if (written > 0) bytes.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }
  absl::Status Sync() {
    return fd_ < 0 || fsync(fd_) == 0 ? absl::OkStatus() : WriteError(path_, errno);
  }

 private:
  std::string path_;
  int fd_ = -1;
};

}  // namespace

std::string PathInSet(FileKind kind, std::string_view instance) {
  const std::string id(instance);
  switch (kind) {
    case FileKind::kControl:
      return "control.db";
    case FileKind::kProfiles:
      return absl::StrCat("instances/", id, "/profiles.db");
    case FileKind::kLogs:
      break;
  }
  return absl::StrCat("instances/", id, "/logs.db");
}

FileKind KindOf(const BackupFile& file) {
  if (file.kind == FileKindName(FileKind::kControl)) return FileKind::kControl;
  return file.kind == FileKindName(FileKind::kProfiles) ? FileKind::kProfiles : FileKind::kLogs;
}

std::string EncodeManifest(const BackupManifest& manifest) {
  std::string files;
  for (const BackupFile& file : manifest.files) {
    absl::StrAppend(&files, files.empty() ? "" : ",\n", EncodeFile(file));
  }
  return absl::StrCat(
      "{\n  ", Member("format", kFormat), ",\n  ", Member("name", manifest.name), ",\n  ",
      Member("set_id", manifest.set_id), ",\n  ", Member("start_us", manifest.start_us), ",\n  ",
      Member("end_us", manifest.end_us), ",\n  \"files\": [\n", files, "\n  ]\n}\n");
}

absl::StatusOr<BackupManifest> DecodeManifest(std::string_view json, const std::string& path) {
  JsonQuery head(kReadHead, json);
  if (!head.Next()) return Damaged(path, "it is no JSON");
  if (head.Number(0) > kFormat) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, Reason::kNewerSchema,
        absl::StrCat(path, ": form ", head.Number(0), ", this version knows forms up to ", kFormat,
                     "; restore with a newer version"),
        {{"file", path}});
  }
  if (head.Number(0) != kFormat || head.Text(2).empty()) {
    return Damaged(path, "it is not the manifest of a backup");
  }
  BackupManifest manifest{head.Text(1), head.Text(2), head.Number(3), head.Number(4), {}};
  JsonQuery files(kReadFiles, json);
  while (files.Next()) {
    manifest.files.push_back({files.Text(0), files.Text(1), files.Text(2), files.Number(3),
                              files.Text(4), files.Number(5), files.Number(6), files.Number(7),
                              files.Number(8), files.Number(9)});
  }
  RETURN_IF_ERROR(CheckFiles(manifest, path));
  return manifest;
}

absl::StatusOr<BackupManifest> ReadManifest(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/", kManifestName);
  const int64_t size = SizeOfFile(path);
  if (size < 0) {
    return MakeError(absl::StatusCode::kNotFound, Reason::kNotFound,
                     absl::StrCat(folder, ": no backup there (it has no ", kManifestName, ")"));
  }
  if (size > static_cast<int64_t>(kManifestBytesMax)) return Damaged(path, "it is too large");
  std::ifstream in(path, std::ios::binary);
  const std::string json{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) return IoError("cannot read", path, "an I/O error");
  return DecodeManifest(json, path);
}

absl::Status WriteManifest(const std::string& folder, const BackupManifest& manifest) {
  NewFile file;
  RETURN_IF_ERROR(file.Open(absl::StrCat(folder, "/", kManifestName)));
  RETURN_IF_ERROR(file.Write(EncodeManifest(manifest)));
  return file.Sync();
}

absl::StatusOr<FileDigest> DigestFile(const DigestPaths& paths, absl::FunctionRef<bool()> keep_on) {
  const int fd = open(paths.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return IoError("cannot open", paths.path, strerror(errno));
  const std::unique_ptr<const int, void (*)(const int*)> closing(&fd,
                                                                 [](const int* p) { close(*p); });
  NewFile copy;
  RETURN_IF_ERROR(copy.Open(paths.copy_to));
  Digest digest;
  FileDigest result;
  std::string block(kBlockBytes, '\0');
  while (true) {
    if (!keep_on()) {
      return MakeError(absl::StatusCode::kCancelled, Reason::kCancelled, "cancelled");
    }
    const ssize_t got = read(fd, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return IoError("cannot read", paths.path, strerror(errno));
    if (got == 0) break;
    const std::string_view bytes(block.data(), static_cast<size_t>(got));
    digest.Add(bytes);
    RETURN_IF_ERROR(copy.Write(bytes));
    result.bytes += got;
  }
  RETURN_IF_ERROR(copy.Sync());
  result.sha256 = digest.Hex();
  return result;
}

}  // namespace passerelle::storage::sqlite
