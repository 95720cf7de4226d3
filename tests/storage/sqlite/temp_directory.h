// A directory that lives as long as one test, below the environment's temporary directory.
#ifndef PASSERELLE_TESTS_STORAGE_SQLITE_TEMP_DIRECTORY_H_
#define PASSERELLE_TESTS_STORAGE_SQLITE_TEMP_DIRECTORY_H_

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>

namespace passerelle::storage {

class TempDirectory {
 public:
  TempDirectory() {
    path_ = (std::filesystem::temp_directory_path() / "passerelle-test-XXXXXX").string();
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary directory");
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_SQLITE_TEMP_DIRECTORY_H_
