// The archive of an access request, as a file that nobody else may read.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "passerelle/error.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/output.h"

namespace passerelle::tools {
namespace {

struct Flags {
  std::string id;
  std::string out;
  bool force = false;
};

absl::Status Problem(const std::string& path, const char* what) {
  return absl::ErrnoToStatus(errno, absl::StrCat(path, ": ", what));
}

// Whole or not at all: what comes goes into PATH.part, which takes its place at the end. Mode 0600
// from the beginning. Without a path: standard output.
class ArchiveFile {
 public:
  explicit ArchiveFile(const Flags& flags) : flags_(flags), part_(flags.out + ".part") {}
  ~ArchiveFile() {
    if (file_ == nullptr || file_ == stdout) return;
    std::fclose(file_);
    unlink(part_.c_str());
  }
  ArchiveFile(const ArchiveFile&) = delete;
  ArchiveFile& operator=(const ArchiveFile&) = delete;

  absl::Status Open() {
    if (flags_.out.empty()) {
      file_ = stdout;
      return absl::OkStatus();
    }
    if (!flags_.force && access(flags_.out.c_str(), F_OK) == 0) return IsThere();
    unlink(part_.c_str());
    const int descriptor = open(part_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) return Problem(part_, "cannot be made");
    file_ = fdopen(descriptor, "wb");
    return file_ != nullptr ? absl::OkStatus() : Problem(part_, "cannot be made");
  }

  absl::Status Write(const std::string& data) {
    if (std::fwrite(data.data(), 1, data.size(), file_) != data.size()) {
      return Problem(flags_.out.empty() ? "standard output" : part_, "cannot be written");
    }
    bytes_ += static_cast<int64_t>(data.size());
    return absl::OkStatus();
  }

  absl::Status Commit() {
    if (std::fflush(file_) != 0) return Problem(part_, "cannot be written");
    if (file_ == stdout) return absl::OkStatus();
    if (fsync(fileno(file_)) != 0) return Problem(part_, "cannot be written");
    if (flags_.force) {
      return rename(part_.c_str(), flags_.out.c_str()) == 0 ? absl::OkStatus()
                                                            : Problem(flags_.out, "cannot be made");
    }
    if (link(part_.c_str(), flags_.out.c_str()) == 0) return absl::OkStatus();
    return errno == EEXIST ? IsThere() : Problem(flags_.out, "cannot be made");
  }

  int64_t bytes() const { return bytes_; }

 private:
  absl::Status IsThere() const {
    return absl::InvalidArgumentError(
        absl::StrCat("-o ", flags_.out, ": is there already; --force replaces it"));
  }

  const Flags& flags_;
  const std::string part_;
  std::FILE* file_ = nullptr;
  int64_t bytes_ = 0;
};

absl::Status Fetch(Session& session, const std::string& name, ArchiveFile* file) {
  absl::StatusOr<client::Client*> connected = session.Connect();
  if (!connected.ok()) return connected.status();
  v1::DownloadArchiveRequest request;
  request.set_name(name);
  session.EndInOrder();
  grpc::ClientContext context;
  session.stop().Watch(&context);
  auto unwatch = absl::MakeCleanup([&session] { session.stop().Watch(nullptr); });
  auto reader = (*connected)->privacy().DownloadArchive(&context, request);
  v1::DownloadArchiveResponse response;
  absl::Status written;
  while (written.ok() && reader->Read(&response)) written = file->Write(response.data());
  if (!written.ok()) context.TryCancel();
  const absl::Status status = client::FromGrpc(reader->Finish());
  return written.ok() ? status : written;
}

absl::Status Download(Session& session, const Flags& flags) {
  ArchiveFile file(flags);
  if (absl::Status opened = file.Open(); !opened.ok()) return opened;
  absl::Status status = Fetch(session, session.NameOf("privacyRequests", flags.id), &file);
  if (status.ok()) status = file.Commit();
  if (!status.ok() || flags.out.empty()) return status;
  if (session.json()) {
    PrintJson(Json{{"file", flags.out}, {"bytes", file.bytes()}});
  } else if (!session.quiet()) {
    std::cout << flags.out << ": " << WithCommas(file.bytes())
              << " bytes; it holds personal data, for nobody else to read\n";
  }
  return status;
}

}  // namespace

void AddArchive(CLI::App& privacy, Session& session) {
  CLI::App* download =
      privacy.add_subcommand("download", "Fetches the archive of an access request: JSON lines");
  auto flags = std::make_shared<Flags>();
  download->add_option("id", flags->id, "Its id, or its whole name")->required();
  download->add_option("-o,--out", flags->out,
                       "The file to write (mode 0600); standard output by default");
  download->add_flag("--force", flags->force, "Replaces a file that is there");
  session.OnRun(download, [&session, flags] { return Download(session, *flags); });
}

}  // namespace passerelle::tools
