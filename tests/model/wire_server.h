// A passerelled of its own for a run: started on a free port, ended in order or killed.
#ifndef PASSERELLE_TESTS_MODEL_WIRE_SERVER_H_
#define PASSERELLE_TESTS_MODEL_WIRE_SERVER_H_

#include <sys/types.h>

#include <string>

namespace passerelle::model {

class WireServer {
 public:
  // `directory` is made and removed again. Throws std::runtime_error when it does not serve.
  WireServer(std::string program, std::string directory);
  ~WireServer();
  WireServer(const WireServer&) = delete;
  WireServer& operator=(const WireServer&) = delete;

  const std::string& address() const { return address_; }
  // Starts it again on the same data, after SIGKILL or an orderly end.
  void Restart(bool kill);
  // Ends it, restores a backup into another data directory, with the key of before, and starts it
  // there. False: the restore failed.
  bool Restore(const std::string& from);

 private:
  void Start();
  void End(bool kill);

  const std::string program_;
  const std::string directory_;
  std::string data_;
  int restored_ = 0;
  std::string address_;
  pid_t process_ = 0;
};

}  // namespace passerelle::model

#endif  // PASSERELLE_TESTS_MODEL_WIRE_SERVER_H_
