#include "tests/crash/io_faults/disk_image.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"

namespace passerelle::crash {
namespace {

namespace fs = std::filesystem;
using Kind = IoEvent::Kind;

constexpr size_t kSectorBytes = 512;

struct FileOnDisk {
  std::string durable;
  std::vector<const IoEvent*> pending;
};

void WriteBytes(std::string& content, size_t at, const char* data, size_t size) {
  if (content.size() < at + size) content.resize(at + size);
  std::copy_n(data, size, content.begin() + static_cast<std::ptrdiff_t>(at));
}

void Apply(const IoEvent& event, std::string& content) {
  if (event.kind == Kind::kTruncate) return content.resize(static_cast<size_t>(event.offset));
  WriteBytes(content, static_cast<size_t>(event.offset), event.data.data(), event.data.size());
}

void ApplyTorn(const IoEvent& event, std::string& content, std::mt19937_64& random) {
  size_t at = 0;
  while (at < event.data.size()) {
    const size_t place = static_cast<size_t>(event.offset) + at;
    const size_t left_in_sector = kSectorBytes - place % kSectorBytes;
    const size_t size = std::min(left_in_sector, event.data.size() - at);
    if (random() % 2 == 0) WriteBytes(content, place, event.data.data() + at, size);
    at += size;
  }
}

std::string ContentOf(const FileOnDisk& file, Unsynced unsynced, std::mt19937_64& random) {
  std::string content = file.durable;
  for (const IoEvent* event : file.pending) {
    const bool whole =
        unsynced == Unsynced::kKept || (unsynced != Unsynced::kLost && random() % 2 == 0);
    if (whole) {
      Apply(*event, content);
    } else if (unsynced == Unsynced::kTorn && event->kind == Kind::kWrite) {
      ApplyTorn(*event, content, random);
    }
  }
  return content;
}

bool IsIn(const std::string& path, const std::string& folder) {
  return path == folder || absl::StartsWith(path, folder + "/");
}

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

class Disk {
 public:
  void Take(const IoEvent& event) {
    switch (event.kind) {
      case Kind::kWrite:
      case Kind::kTruncate:
        files_[event.file].pending.push_back(&event);
        break;
      case Kind::kSync:
        for (const IoEvent* written : files_[event.file].pending) {
          Apply(*written, files_[event.file].durable);
        }
        [[fallthrough]];
      case Kind::kFailedSync:
        files_[event.file].pending.clear();
        break;
      case Kind::kCreate:
      case Kind::kMakeFolder:
      case Kind::kRename:
      case Kind::kUnlink:
        names_.push_back({&event, FolderOf(event.path)});
        break;
      case Kind::kSyncFolder:
        durable_names_[event.path] = names_.size();
        break;
      case Kind::kMark:
        break;
    }
  }

  DiskImage Image(Unsynced unsynced, std::mt19937_64& random) const {
    std::map<std::string, int> by_name;
    std::map<std::string, bool> ended;  // folders of which no later name is kept
    for (size_t i = 0; i < names_.size(); ++i) {
      const auto& [event, folder] = names_[i];
      if (!IsKept(i, unsynced, random)) ended[folder] = true;
      if (!ended[folder]) Name(*event, by_name);
    }
    DiskImage image;
    for (const auto& [path, number] : by_name) {
      if (!HasFolders(path, by_name)) continue;
      if (number == kFolder) image[path + "/"] = "";
      const auto file = files_.find(number);
      if (file != files_.end()) image[path] = ContentOf(file->second, unsynced, random);
    }
    return image;
  }

 private:
  struct Named {
    const IoEvent* event;
    std::string folder;
  };
  static constexpr int kFolder = -1;

  bool IsKept(size_t i, Unsynced unsynced, std::mt19937_64& random) const {
    const auto synced = durable_names_.find(names_[i].folder);
    if (synced != durable_names_.end() && i < synced->second) return true;
    return unsynced == Unsynced::kKept || (unsynced != Unsynced::kLost && random() % 2 == 0);
  }
  static void Name(const IoEvent& event, std::map<std::string, int>& by_name) {
    if (event.kind == Kind::kCreate || event.kind == Kind::kMakeFolder) {
      by_name[event.path] = event.kind == Kind::kCreate ? event.file : kFolder;
      return;
    }
    std::map<std::string, int> others;
    for (const auto& [path, file] : by_name) {
      if (!IsIn(path, event.path)) {
        others.try_emplace(path, file);
      } else if (event.kind == Kind::kRename) {
        others[event.to + path.substr(event.path.size())] = file;
      }
    }
    by_name = std::move(others);
  }
  static bool HasFolders(const std::string& path, const std::map<std::string, int>& by_name) {
    for (std::string folder = FolderOf(path); !folder.empty(); folder = FolderOf(folder)) {
      if (by_name.count(folder) == 0) return false;
    }
    return true;
  }

  std::map<int, FileOnDisk> files_;
  std::vector<Named> names_;
  std::map<std::string, size_t> durable_names_;  // by folder: how many of names_ its sync covers
};

}  // namespace

const char* NameOf(Unsynced unsynced) {
  switch (unsynced) {
    case Unsynced::kLost:
      return "lost";
    case Unsynced::kKept:
      return "kept";
    case Unsynced::kMixed:
      return "mixed";
    case Unsynced::kTorn:
      break;
  }
  return "torn";
}

DiskImage ImageAfter(absl::Span<const IoEvent> events, Unsynced unsynced, std::mt19937_64& random) {
  Disk disk;
  for (const IoEvent& event : events) disk.Take(event);
  return disk.Image(unsynced, random);
}

void WriteImage(const DiskImage& image, const std::string& root) {
  fs::remove_all(root);
  fs::create_directories(root);
  for (const auto& [name, content] : image) {
    const fs::path path = root + name;
    fs::create_directories(path.parent_path());
    if (name.back() != '/') std::ofstream(path, std::ios::binary) << content;
  }
}

}  // namespace passerelle::crash
