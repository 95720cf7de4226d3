// Consumers of sources: who reads the log, how far, and what became of the rows.
#ifndef PASSERELLE_STORAGE_CONSUMER_H_
#define PASSERELLE_STORAGE_CONSUMER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace passerelle::storage {

// How far retention waits for a consumer.
struct ConsumerSettings {
  // Absent: Retention::pin. kForever: until it acknowledges, whatever it costs.
  std::optional<int64_t> max_pin_us;
};

struct Consumer {
  // By how much of what retention waits at most is used: of max_pin by the age of the oldest row
  // after the position, or of Retention::pin_bytes by what lies behind, whichever is more.
  enum class State : uint8_t {
    kUnused = 1,    // never acknowledged or moved: retention does not wait for it
    kActive = 2,    // less than 50 %
    kWarning = 3,   // 50 % and more
    kCritical = 4,  // 80 % and more
    kExpired = 5,   // retention waited long enough; rows may be gone. Seek makes it active again
  };
  std::string source;  // id
  std::string id;
  int64_t acknowledged_sequence = 0;
  int64_t lag = 0;             // sequences after the position, up to the last log row
  int64_t lag_us = 0;          // age of the first row after the position; 0: there is none
  int64_t lag_bytes = 0;       // about what these rows take of the file
  int64_t acknowledge_us = 0;  // when it last acknowledged or was moved; 0: never
  int64_t seek_us = 0;         // when it was last moved by Seek; 0: never
  int64_t create_us = 0;
  ConsumerSettings settings;
  State state = State::kUnused;
  int32_t pin_percent = 0;  // what `state` is judged by
  // When it expires if it acknowledges nothing until then (sooner if it passes pin_bytes and the
  // rows are past their retention); 0: never, or it has nothing to acknowledge.
  int64_t expire_us = 0;
  int64_t expired_us = 0;  // 0: it is not
};

// Where a consumer is moved to.
struct SeekTo {
  SeekTo(int64_t to, bool or_first = false) : sequence(to), or_first_kept(or_first) {}

  int64_t sequence;
  bool or_first_kept;  // true: before the first sequence kept where rows after `sequence` are gone
};

// What became of the matching rows appended in [start_us, end_us), for one reader:
// appended = exported + skipped + pending.
struct LogWindow {
  int64_t start_us = 0;
  int64_t end_us = 0;
  int64_t appended = 0;
  int64_t exported = 0;  // acknowledged
  int64_t skipped = 0;   // at or below the position, but moved over by Seek and not acknowledged
  int64_t pending = 0;   // after the position
  bool purged = false;   // rows of this window are past their retention and in none of the numbers
};

struct LogReconciliation {
  std::vector<LogWindow> windows;  // in order, without gaps
  int64_t end_sequence = 0;        // the numbers are of this moment
};

// Which windows: [start_us, end_us) in steps of step_us; the last one may be shorter.
struct LogWindows {
  int64_t start_us = 0;
  int64_t end_us = 0;
  int64_t step_us = 0;  // more than 0
};

// Whose rows: those of a consumer, or, without one, of somebody who has read up to `position`.
struct LogReader {
  std::string source;
  std::string consumer;  // empty: none
  int64_t position = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_CONSUMER_H_
