// TLS of the listener: 1.2 and 1.3, with certificates that are looked at again while it serves.
//
// gRPC asks for the certificate at every handshake, so that new files hold for the next connection
// and open ones go on. (gRPC's own watcher of files, in 1.51, takes a certificate and a key that do
// not belong together, and then answers nobody.)
//
// Threads: one of its own, which reads the files every second; all functions are safe on any
// thread.
#ifndef PASSERELLE_SERVER_TLS_H_
#define PASSERELLE_SERVER_TLS_H_

#include <grpc/grpc_security.h>
#include <grpcpp/security/server_credentials.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/tls_files.h"

namespace passerelle {

class ReloadingTls {
 public:
  // Reads the files (its errors are ReadTlsMaterial's) and says in the log what is served:
  // `tls_on` with the time until which the certificate is valid and whether client certificates are
  // "none", "accepted" or "required". A certificate that is expired, is not valid yet or has less
  // than 14 days left is served all the same and said at once and every day.
  //
  // Files that change are served from the next connection on and said (`tls_reloaded`). Files that
  // cannot be served, such as a new certificate whose key is not there yet, are said once
  // (`tls_reload_refused`), and the old ones go on being served.
  static absl::StatusOr<std::unique_ptr<ReloadingTls>> Start(const TlsFiles& files);
  ~ReloadingTls();
  ReloadingTls(const ReloadingTls&) = delete;
  ReloadingTls& operator=(const ReloadingTls&) = delete;

  // For one listening address of one server, which this must outlive. The auth context of a call
  // has the names of the client's certificate (x509_common_name, x509_subject_alternative_name) if
  // the client gave one; one that --tls-client-ca did not sign never gets as far as a call.
  std::shared_ptr<grpc::ServerCredentials> MakeCredentials();

 private:
  ReloadingTls(const TlsFiles& files, TlsMaterial material);
  static grpc_ssl_certificate_config_reload_status Give(
      void* self, grpc_ssl_server_certificate_config** config);
  void Watch();
  void LookAgain();
  void TellServed(const char* event) const;
  void TellValidity();

  const TlsFiles files_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Written by the watching thread only, which may read it without the mutex.
  TlsMaterial material_;
  int64_t version_ ABSL_GUARDED_BY(mutex_) = 1;
  int64_t given_ ABSL_GUARDED_BY(mutex_) = 0;  // the version that gRPC has
  // Of the watching thread.
  std::string last_refusal_;
  absl::Time next_warning_ = absl::InfinitePast();
  std::thread thread_;
};

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_TLS_H_
