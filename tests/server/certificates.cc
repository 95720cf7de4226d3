#include "tests/server/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <stdexcept>

#include "absl/time/clock.h"

namespace passerelle {
namespace {

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

void Check(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(what);
}

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<std::size_t>(size));
}

std::string Pem(X509* certificate) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()), BIO_free_all);
  Check(PEM_write_bio_X509(bio.get(), certificate) == 1, "certificate is not written");
  return Text(bio.get());
}

std::string Pem(EVP_PKEY* key) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()), BIO_free_all);
  Check(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
        "key is not written");
  return Text(bio.get());
}

void AddExtension(X509* certificate, int kind, const std::string& value) {
  const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str()),
                                        X509_EXTENSION_free);
  Check(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1,
        "extension is not added");
}

// By `issuer`; null: by itself, as a CA.
Certificate Make(const CertificateRequest& request, const Certificate* issuer) {
  static std::atomic<long> serial{0};
  const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const Owned<X509> made(X509_new(), X509_free);
  Check(key != nullptr && made != nullptr, "no key");
  X509_set_version(made.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
  const absl::Time now = absl::Now();
  ASN1_TIME_set(X509_getm_notBefore(made.get()), absl::ToTimeT(now + request.valid_from));
  ASN1_TIME_set(X509_getm_notAfter(made.get()), absl::ToTimeT(now + request.valid_until));
  X509_set_pubkey(made.get(), key.get());
  const auto* name = reinterpret_cast<const unsigned char*>(request.common_name.c_str());
  X509_NAME* const subject = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, -1, -1, 0);
  AddExtension(made.get(), NID_basic_constraints,
               issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
  if (issuer == nullptr) {
    X509_set_issuer_name(made.get(), subject);
    Check(X509_sign(made.get(), key.get(), EVP_sha256()) > 0, "not signed");
    return {Pem(made.get()), Pem(key.get())};
  }
  const Owned<BIO> ca_text(BIO_new_mem_buf(issuer->certificate.data(), -1), BIO_free_all);
  const Owned<BIO> ca_key_text(BIO_new_mem_buf(issuer->key.data(), -1), BIO_free_all);
  const Owned<X509> ca(PEM_read_bio_X509(ca_text.get(), nullptr, nullptr, nullptr), X509_free);
  const Owned<EVP_PKEY> ca_key(
      PEM_read_bio_PrivateKey(ca_key_text.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  AddExtension(made.get(), NID_subject_alt_name, request.names);
  X509_set_issuer_name(made.get(), X509_get_subject_name(ca.get()));
  Check(X509_sign(made.get(), ca_key.get(), EVP_sha256()) > 0, "not signed");
  return {Pem(made.get()), Pem(key.get())};
}

}  // namespace

TestCa::TestCa(const std::string& name) {
  CertificateRequest request;
  request.common_name = name;
  self_ = Make(request, nullptr);
}

Certificate TestCa::Issue(const CertificateRequest& request) const { return Make(request, &self_); }

void WriteFile(const std::string& path, const std::string& text, unsigned mode) {
  const std::string partial = path + ".new";
  std::ofstream(partial, std::ios::binary) << text;
  Check(::chmod(partial.c_str(), mode) == 0 && ::rename(partial.c_str(), path.c_str()) == 0,
        "file is not written");
}

}  // namespace passerelle
