// What passerelled does with a store that no server has open: `passerelled restore` and
// `passerelled doctor`; and with its master key file, also while it serves: `passerelled keys`.
//
// Exit codes of restore and keys: 0 done, 1 refused or failed (all is as before), 2 wrong usage; of
// doctor: 0 sound, 1 damaged, or it could not look, 2 wrong usage.
#ifndef PASSERELLE_SERVER_STORE_COMMANDS_H_
#define PASSERELLE_SERVER_STORE_COMMANDS_H_

#include <ostream>
#include <string>
#include <vector>

namespace passerelle {

// True if the arguments (without the program's name) begin with such a command.
bool IsStoreCommand(const std::vector<std::string>& arguments);

// Results go to `out`, everything else to `err`.
struct Streams {
  std::ostream* out = nullptr;
  std::ostream* err = nullptr;
};
// Runs it and returns the exit code. --data is also read from PASSERELLE_DATA, --key-file from
// PASSERELLE_KEY_FILE.
int RunStoreCommand(const std::vector<std::string>& arguments, const Streams& streams);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_STORE_COMMANDS_H_
