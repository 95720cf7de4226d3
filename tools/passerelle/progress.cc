#include "tools/passerelle/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "tools/passerelle/output.h"

namespace passerelle::tools {
namespace {

constexpr absl::Duration kBarEvery = absl::Milliseconds(100);
constexpr absl::Duration kLineEvery = absl::Seconds(5);
constexpr int kBarCells = 30;

}  // namespace

std::string RateOf(int64_t rows, absl::Duration time) {
  const double seconds = std::max(absl::ToDoubleSeconds(time), 0.001);
  return absl::StrCat(WithCommas(static_cast<int64_t>(static_cast<double>(rows) / seconds)), "/s");
}

Progress::Progress(std::string verb, bool quiet)
    : verb_(std::move(verb)),
      quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) == 1),
      began_(absl::Now()),
      drawn_(began_) {}

Progress::~Progress() { End(); }

void Progress::Update(double fraction, int64_t rows) {
  const absl::Time now = absl::Now();
  if (quiet_ || now - drawn_ < (terminal_ ? kBarEvery : kLineEvery)) return;
  drawn_ = now;
  Draw(fraction, rows);
}

void Progress::Draw(double fraction, int64_t rows) {
  const std::string counts =
      absl::StrCat(WithCommas(rows), " rows  ", RateOf(rows, absl::Now() - began_));
  std::string share;
  if (fraction >= 0) share = absl::StrFormat("%3.0f %%  ", std::min(fraction, 1.0) * 100);
  if (!terminal_) {
    std::fprintf(stderr, "%s: %s%s\n", verb_.c_str(), share.c_str(), counts.c_str());
    return;
  }
  std::string bar;
  if (fraction >= 0) {
    const int full = static_cast<int>(std::min(fraction, 1.0) * kBarCells);
    bar = absl::StrCat("[", std::string(full, '#'), std::string(kBarCells - full, '-'), "] ");
  }
  std::fprintf(stderr, "\r\033[K%s %s%s%s", verb_.c_str(), bar.c_str(), share.c_str(),
               counts.c_str());
  std::fflush(stderr);
  bar_shown_ = true;
}

void Progress::Say(const std::string& line) {
  if (quiet_) return;
  End();
  std::fprintf(stderr, "%s\n", line.c_str());
}

void Progress::End() {
  if (bar_shown_) std::fprintf(stderr, "\r\033[K");
  bar_shown_ = false;
}

}  // namespace passerelle::tools
