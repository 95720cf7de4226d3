#include "tests/crash/io_faults/io_layer.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace passerelle::crash {

const char* NameOf(IoCall call) {
  switch (call) {
    case IoCall::kOpen:
      return "open";
    case IoCall::kRead:
      return "read";
    case IoCall::kWrite:
      return "write";
    case IoCall::kSync:
      return "sync";
    case IoCall::kTruncate:
      return "truncate";
    case IoCall::kDelete:
      return "delete";
    case IoCall::kMap:
      return "map";
    case IoCall::kRename:
      return "rename";
    case IoCall::kSyncFolder:
      break;
  }
  return "sync of folder";
}

IoLayer& IoLayer::Get() {
  static IoLayer* const layer = new IoLayer();
  return *layer;
}

void IoLayer::Begin(const std::string& root, const IoFault& fault, bool traced) {
  absl::MutexLock lock(&mutex_);
  root_ = root;
  fault_ = fault;
  traced_ = traced;
  calls_ = 0;
  files_ = 0;
  failed_.clear();
  unsynced_.clear();
  file_by_path_.clear();
  trace_.clear();
}

std::vector<IoEvent> IoLayer::End() {
  absl::MutexLock lock(&mutex_);
  root_.clear();
  return std::exchange(trace_, {});
}

int64_t IoLayer::calls() const {
  absl::MutexLock lock(&mutex_);
  return calls_;
}

std::string IoLayer::failed() const {
  absl::MutexLock lock(&mutex_);
  return failed_;
}

std::set<std::string> IoLayer::unsynced() const {
  absl::MutexLock lock(&mutex_);
  return unsynced_;
}

void IoLayer::Mark(int64_t number) {
  absl::MutexLock lock(&mutex_);
  if (!traced_) return;
  IoEvent event{IoEvent::Kind::kMark};
  event.offset = number;
  trace_.push_back(std::move(event));
}

bool IoLayer::Watches(const std::string& path) const {
  return !root_.empty() && absl::StartsWith(path, root_);
}

bool IoLayer::Fails(IoCall call, const std::string& path) {
  absl::MutexLock lock(&mutex_);
  if (!Watches(path)) return false;
  if (fault_.only.has_value() && *fault_.only != call) return false;
  ++calls_;
  const bool fails =
      fault_.nth > 0 && (calls_ == fault_.nth || (fault_.for_ever && calls_ > fault_.nth));
  if (!fails) return false;
  const std::string name = path.substr(root_.size());
  if (failed_.empty()) {
    failed_ = absl::StrCat(NameOf(call), " ", name);
    if (fault_.met != nullptr) fault_.met();
  }
  if (call == IoCall::kSync) unsynced_.insert(name);
  return true;
}

int IoLayer::FileAt(const std::string& path) {
  absl::MutexLock lock(&mutex_);
  if (!traced_ || !Watches(path)) return -1;
  const auto [found, made] = file_by_path_.try_emplace(path, files_);
  if (made) {
    IoEvent event{IoEvent::Kind::kCreate, files_++};
    event.path = path.substr(root_.size());
    trace_.push_back(std::move(event));
  }
  return found->second;
}

void IoLayer::Note(IoEvent event) {
  absl::MutexLock lock(&mutex_);
  const bool named = !event.path.empty();
  if (!traced_ || (named ? !Watches(event.path) : root_.empty() || event.file < 0)) return;
  if (event.kind == IoEvent::Kind::kRename || event.kind == IoEvent::Kind::kUnlink) {
    MoveNames(event);
  }
  if (named) event.path = event.path.substr(root_.size());
  if (!event.to.empty()) event.to = event.to.substr(root_.size());
  trace_.push_back(std::move(event));
}

void IoLayer::MoveNames(const IoEvent& event) {
  std::map<std::string, int> moved;
  for (auto& [path, file] : file_by_path_) {
    const bool is_it = path == event.path || absl::StartsWith(path, event.path + "/");
    if (!is_it) {
      moved.try_emplace(path, file);
    } else if (event.kind == IoEvent::Kind::kRename) {
      moved[event.to + path.substr(event.path.size())] = file;
    }
  }
  file_by_path_ = std::move(moved);
}

}  // namespace passerelle::crash
