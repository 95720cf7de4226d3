// Tells on standard error how long work gets on: a bar on a terminal, a line every few seconds
// elsewhere, nothing when quiet. Not thread-safe.
#ifndef PASSERELLE_TOOLS_PROGRESS_H_
#define PASSERELLE_TOOLS_PROGRESS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace passerelle::tools {

class Progress {
 public:
  // `verb` as in "importing".
  Progress(std::string verb, bool quiet);
  ~Progress();

  // `fraction` 0 to 1; negative: not known. `rows` done in this run.
  void Update(double fraction, int64_t rows);
  // A line of its own, for example why it waits.
  void Say(const std::string& line);
  // Removes the bar.
  void End();

 private:
  void Draw(double fraction, int64_t rows);

  const std::string verb_;
  const bool quiet_;
  const bool terminal_;
  const absl::Time began_;
  absl::Time drawn_;
  bool bar_shown_ = false;
};

// "21,000/s".
std::string RateOf(int64_t rows, absl::Duration time);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_PROGRESS_H_
