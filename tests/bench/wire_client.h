// This side: a client of a running passerelled, over its public API and nothing else, with the
// generated stubs. Records go in columns, kBatchRecords a message, at most kUnackedBatches ahead of
// the acks, through named streams.
//
// Methods throw std::runtime_error when a call fails or an outcome is not the one expected. One
// thread.
#ifndef PASSERELLE_TESTS_BENCH_WIRE_CLIENT_H_
#define PASSERELLE_TESTS_BENCH_WIRE_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/data.h"

namespace passerelle::bench {

inline constexpr int64_t kBatchRecords = 2'500;
inline constexpr int64_t kUnackedBatches = 4;

class WireClient {
 public:
  explicit WireClient(const std::string& address);

  // Creates the attributes of data.h.
  void AddAttributes();
  // Creates one more, an int64.
  void AddAttribute(const std::string& id);
  void Import(int64_t people, uint64_t seed);
  // A PROFILE_SYNC destination for the fields of Patch.
  void AddSyncDestination();
  // An AUDIENCE_SYNC destination with one new audience, both of this id.
  void AddPushDestination(const std::string& id);
  void AddDelivery(const std::string& id);

  // Durable when they return: finished by the server. `stream` is new.
  void Sync(const std::string& stream, const std::vector<Patch>& patches);
  void Push(const std::string& id, const std::string& stream,
            const std::vector<std::string>& members);
  void Append(const std::string& delivery, const std::string& stream,
              const std::vector<Sending>& sendings);
  // Twelve fields of every row, each looked at; messages as long as the server makes them.
  ExportSum Export();

 private:
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace passerelle::bench

#endif  // PASSERELLE_TESTS_BENCH_WIRE_CLIENT_H_
