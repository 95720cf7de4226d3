// Certificates made for one test, with OpenSSL's library.
#ifndef PASSERELLE_TESTS_SERVER_CERTIFICATES_H_
#define PASSERELLE_TESTS_SERVER_CERTIFICATES_H_

#include <string>

#include "absl/time/time.h"

namespace passerelle {

// PEM.
struct Certificate {
  std::string certificate;
  std::string key;
};

struct CertificateRequest {
  std::string common_name;
  std::string names = "DNS:localhost,IP:127.0.0.1";  // subject alternative names, as OpenSSL's
  absl::Duration valid_from = -absl::Hours(1);       // from now
  absl::Duration valid_until = absl::Hours(24 * 90);
};

// A root of its own.
class TestCa {
 public:
  explicit TestCa(const std::string& name);
  Certificate Issue(const CertificateRequest& request) const;
  const std::string& certificate() const { return self_.certificate; }

 private:
  Certificate self_;
};

// Replaces the file in one step, as a tool that renews certificates should.
void WriteFile(const std::string& path, const std::string& text, unsigned mode = 0600);

}  // namespace passerelle

#endif  // PASSERELLE_TESTS_SERVER_CERTIFICATES_H_
