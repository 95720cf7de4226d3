// The files of TLS as the operator names them: which belong together, and what is wrong with them.
#ifndef PASSERELLE_SERVER_TLS_FILES_H_
#define PASSERELLE_SERVER_TLS_FILES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace passerelle {

struct Options;

// Paths of PEM files.
struct TlsFiles {
  std::string certificate;  // the server's, then those between it and its root
  std::string key;
  std::string client_ca;  // empty: no client certificate is asked for
  bool require_client_certificate = false;
};

// True if the options ask for TLS.
bool UsesTls(const Options& options);
TlsFiles TlsFilesOf(const Options& options);

// Looks at the options only, at no file. INVALID_ARGUMENT naming the option that is given without
// the one it needs: certificate and key, the CA of clients with both, and a certificate can only be
// required of clients when there is a CA.
absl::Status CheckTlsOptions(const Options& options);

// What the files hold.
struct TlsMaterial {
  std::string certificate;  // PEM, as are the next two
  std::string key;
  std::string client_ca;
  // Of the server's certificate.
  absl::Time not_before;
  absl::Time not_after;

  bool operator==(const TlsMaterial& other) const {
    return certificate == other.certificate && key == other.key && client_ca == other.client_ca;
  }
};

// Reads the files and checks that TLS can be served with them: each can be read, has at most 1 MiB
// and whole PEM certificates or a key without a password, and the key fits the certificate. The key
// must be a file that only its owner may use (no mode bits for group and others). The time is not
// looked at: an expired certificate is no error. FAILED_PRECONDITION naming the setting, the file,
// what is wrong and what to do; never what the file holds.
absl::StatusOr<TlsMaterial> ReadTlsMaterial(const TlsFiles& files);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_TLS_FILES_H_
