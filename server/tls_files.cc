#include "server/tls_files.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/options.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr std::size_t kMaxFileBytes = 1024 * 1024;

// A file and the setting that names it.
struct NamedFile {
  const char* flag;
  const std::string& path;
};
NamedFile CertificateOf(const TlsFiles& files) { return {"--tls-cert", files.certificate}; }
NamedFile KeyOf(const TlsFiles& files) { return {"--tls-key", files.key}; }
NamedFile ClientCaOf(const TlsFiles& files) { return {"--tls-client-ca", files.client_ca}; }

absl::Status Problem(const NamedFile& file, absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(file.flag, ": ", file.path, ": ", what));
}

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;
Owned<X509> Own(X509* certificate) { return {certificate, X509_free}; }
Owned<EVP_PKEY> Own(EVP_PKEY* key) { return {key, EVP_PKEY_free}; }
Owned<SSL_CTX> Own(SSL_CTX* context) { return {context, SSL_CTX_free}; }
Owned<BIO> Reader(const std::string& text) {
  return {BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free_all};
}

// Why the last call of OpenSSL on this thread failed.
std::string LastReason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason != nullptr ? reason : "unknown reason";
}

absl::Status CheckFile(const NamedFile& file, int descriptor) {
  struct stat info = {};
  if (::fstat(descriptor, &info) != 0) return Problem(file, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return Problem(file, "is not a file");
  if (info.st_size > static_cast<off_t>(kMaxFileBytes)) {
    return Problem(file, absl::StrCat(info.st_size, " bytes, limit ", kMaxFileBytes));
  }
  const bool is_key = file.flag == absl::string_view("--tls-key");
  if (is_key && (info.st_mode & 077) != 0) {
    return Problem(file, absl::StrFormat("mode %04o lets others in, wanted 0600 (chmod 600)",
                                         info.st_mode & 07777));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadText(const NamedFile& file) {
  // A pipe in the place of a file must not keep the server from starting.
  const int descriptor = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return Problem(file, absl::StrCat("cannot be read: ", std::strerror(errno)));
  absl::Status status = CheckFile(file, descriptor);
  std::string text;
  char bytes[4096];
  while (status.ok() && text.size() <= kMaxFileBytes) {
    const ssize_t got = ::read(descriptor, bytes, sizeof(bytes));
    if (got == 0) break;
    if (got > 0) text.append(bytes, static_cast<std::size_t>(got));
    if (got < 0 && errno != EINTR) status = Problem(file, std::strerror(errno));
  }
  ::close(descriptor);
  RETURN_IF_ERROR(status);
  return text;
}

// Otherwise OpenSSL would ask at the terminal.
int NoPassword(char*, int, int, void* asked) {
  if (asked != nullptr) *static_cast<bool*>(asked) = true;
  return -1;
}

absl::StatusOr<std::vector<Owned<X509>>> ParseCertificates(const NamedFile& file,
                                                           const std::string& text) {
  const Owned<BIO> reader = Reader(text);
  std::vector<Owned<X509>> all;
  while (X509* one = PEM_read_bio_X509(reader.get(), nullptr, NoPassword, nullptr)) {
    all.push_back(Own(one));
  }
  const bool whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!whole) {
    return Problem(file, absl::StrCat("its certificate ", all.size() + 1,
                                      " cannot be read; is the file whole?"));
  }
  if (all.empty()) {
    return Problem(file, "has no certificate, wanted PEM (-----BEGIN CERTIFICATE-----)");
  }
  return all;
}

absl::StatusOr<Owned<EVP_PKEY>> ParseKey(const NamedFile& file, const std::string& text) {
  bool asked = false;
  Owned<EVP_PKEY> key =
      Own(PEM_read_bio_PrivateKey(Reader(text).get(), nullptr, NoPassword, &asked));
  ERR_clear_error();
  if (key != nullptr) return key;
  return asked ? Problem(file, "has a password, wanted a key without one")
               : Problem(file, "has no private key, wanted PEM (-----BEGIN PRIVATE KEY-----)");
}

absl::Time TimeOf(const ASN1_TIME* time) {
  tm parts = {};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? absl::FromTimeT(::timegm(&parts))
                                            : absl::InfinitePast();
}

// What gRPC will do with them when it serves.
absl::Status CheckServable(const TlsFiles& files, X509* certificate, EVP_PKEY* key) {
  if (X509_check_private_key(certificate, key) != 1) {
    ERR_clear_error();
    return Problem(KeyOf(files), absl::StrCat("is not the key of the certificate in ",
                                              files.certificate, " (--tls-cert)"));
  }
  const Owned<SSL_CTX> context = Own(SSL_CTX_new(TLS_server_method()));
  if (SSL_CTX_use_certificate(context.get(), certificate) != 1) {
    return Problem(CertificateOf(files), absl::StrCat("cannot be used: ", LastReason()));
  }
  if (SSL_CTX_use_PrivateKey(context.get(), key) != 1) {
    return Problem(KeyOf(files), absl::StrCat("cannot be used: ", LastReason()));
  }
  return absl::OkStatus();
}

absl::Status Missing(const char* flag, const char* wanted) {
  return absl::InvalidArgumentError(absl::StrCat(flag, ": got nothing, wanted ", wanted));
}

}  // namespace

bool UsesTls(const Options& options) {
  return !options.tls_cert.empty() && !options.tls_key.empty();
}

TlsFiles TlsFilesOf(const Options& options) {
  return {options.tls_cert, options.tls_key, options.tls_client_ca,
          options.tls_require_client_cert};
}

absl::Status CheckTlsOptions(const Options& options) {
  const bool has_cert = !options.tls_cert.empty();
  const bool has_key = !options.tls_key.empty();
  const bool has_ca = !options.tls_client_ca.empty();
  if (options.tls_require_client_cert && !has_ca) {
    return Missing("--tls-client-ca",
                   "the CA of client certificates, because --tls-require-client-cert is on");
  }
  if (!has_cert && (has_key || has_ca)) {
    return Missing("--tls-cert", has_key ? "the certificate of the key in --tls-key"
                                         : "a certificate, because --tls-client-ca is given");
  }
  if (has_cert && !has_key) {
    return Missing("--tls-key", "the private key of the certificate in --tls-cert");
  }
  return absl::OkStatus();
}

absl::StatusOr<TlsMaterial> ReadTlsMaterial(const TlsFiles& files) {
  TlsMaterial material;
  ASSIGN_OR_RETURN(material.certificate, ReadText(CertificateOf(files)));
  ASSIGN_OR_RETURN(material.key, ReadText(KeyOf(files)));
  ASSIGN_OR_RETURN(const auto chain, ParseCertificates(CertificateOf(files), material.certificate));
  ASSIGN_OR_RETURN(const auto key, ParseKey(KeyOf(files), material.key));
  RETURN_IF_ERROR(CheckServable(files, chain[0].get(), key.get()));
  material.not_before = TimeOf(X509_get0_notBefore(chain[0].get()));
  material.not_after = TimeOf(X509_get0_notAfter(chain[0].get()));
  if (files.client_ca.empty()) return material;
  ASSIGN_OR_RETURN(material.client_ca, ReadText(ClientCaOf(files)));
  RETURN_IF_ERROR(ParseCertificates(ClientCaOf(files), material.client_ca).status());
  return material;
}

}  // namespace passerelle
