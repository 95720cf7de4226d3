/** Who calls and whom it trusts: API keys, TLS, and what they are read from. No error text holds a key. */

import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { BlockList, isIPv4, isIPv6 } from "node:net";
import * as tls from "node:tls";

import { ChannelCredentials } from "@grpc/grpc-js";

import { UsageError } from "./errors.js";

/** The value of `ca` that trusts what this machine trusts. */
export const SYSTEM_ROOTS = "system";
const KEY_BYTES = 512;
const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
// Where Linux distributions and the BSDs keep what the machine trusts; Node has its own list otherwise.
const ROOT_FILES = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/** Who calls, and whom it trusts. Files are read once, by connect(). */
export interface Security {
  /** The API key, psk.ID.SECRET: sent over TLS, or in plaintext to this machine, nowhere else. */
  key?: string | undefined;
  /** A file that holds the API key; one of the two. */
  keyFile?: string | undefined;
  /** PEM file of the roots to trust, or "system". Given: TLS is spoken. */
  ca?: string | undefined;
  /** PEM file of a client certificate. */
  cert?: string | undefined;
  /** PEM file of the client certificate's private key. */
  certKey?: string | undefined;
  /** The name that the server's certificate must have, if not the address's. */
  serverName?: string | undefined;
}

/** `given`, and what it does not say from PASSERELLE_API_KEY (or else PASSERELLE_API_KEY_FILE) and the like. */
export function orFromEnvironment(given: Security): Security {
  const from = process.env;
  const found: Security = {
    ...given,
    ca: given.ca || from.PASSERELLE_CA_FILE,
    cert: given.cert || from.PASSERELLE_CLIENT_CERT,
    certKey: given.certKey || from.PASSERELLE_CLIENT_KEY,
  };
  if (given.key || given.keyFile) return found;
  const key = from.PASSERELLE_API_KEY || undefined;
  return { ...found, key, keyFile: key ? undefined : from.PASSERELLE_API_KEY_FILE };
}

/** True if the target is on this machine whatever a name server says; false if in doubt. */
export function isLocal(target: string): boolean {
  if (target.startsWith("unix:")) return true;
  const scheme = /^(?:dns:\/\/\/|ipv4:|ipv6:|dns:(?!\/\/))/.exec(target)?.[0] ?? "";
  return target.slice(scheme.length).split(",").every(isLoopback);
}

function isLoopback(address: string): boolean {
  let host = address;
  if (address.startsWith("[")) host = address.slice(1).split("]", 1)[0] ?? "";
  else if (address.split(":").length === 2) host = address.split(":", 1)[0] ?? "";
  if (host.toLowerCase() === "localhost") return true;
  if (isIPv4(host)) return LOOPBACK.check(host, "ipv4");
  return isIPv6(host) && new URL(`http://[${host.split("%", 1)[0]}]`).hostname === "[::1]";
}

/** True if TLS is spoken: any of its files is given. */
export function speaksTls(security: Security): boolean {
  return Boolean(security.ca || security.cert || security.certKey);
}

/** The API key to send to the target, if any; UsageError if it is none, or would leave this machine in plaintext. */
export function keyFor(target: string, security: Security): string | undefined {
  if ((security.key || security.keyFile) && !speaksTls(security) && !isLocal(target)) {
    throw new UsageError(
      `the API key is not sent to ${target} in plaintext, where others could read it: give the CA of its certificate` +
        " (ca), or connect on the server's own machine",
    );
  }
  if (security.key && security.keyFile)
    throw new UsageError("got an API key and a file of one, wanted one of the two");
  if (security.keyFile) return checkedKey(readKey(security.keyFile), `key file ${security.keyFile}`);
  return security.key ? checkedKey(security.key, "the API key") : undefined;
}

function readKey(file: string): string {
  const key = readFile(file).toString("utf8").trim();
  if (key === "") throw new UsageError(`key file ${file}: is empty`);
  return key;
}

// Another secret, read by mistake (the server's own key file), must not be sent.
function checkedKey(key: string, place: string): string {
  const parts = key.split(".");
  const fits = parts[0] === "psk" && parts.length >= 3 && parts.every((part) => /^[!-~]+$/.test(part));
  if (!fits || key.length > KEY_BYTES) {
    throw new UsageError(`${place}: got ${key.length} characters that are no API key, wanted psk.ID.SECRET`);
  }
  return key;
}

/** How to connect: TLS with these files, or plaintext without any. UsageError for files that cannot be used. */
export function credentialsOf(security: Security): ChannelCredentials {
  if (!speaksTls(security)) return ChannelCredentials.createInsecure();
  if (Boolean(security.cert) !== Boolean(security.certKey)) {
    throw new UsageError("got one of a client certificate (cert) and its key (certKey), wanted both");
  }
  const roots = !security.ca || security.ca === SYSTEM_ROOTS ? systemRoots() : readRoots(security.ca);
  const cert = security.cert ? readPem(security.cert) : null;
  const certKey = security.certKey ? readPem(security.certKey) : null;
  try {
    return ChannelCredentials.createSsl(roots, certKey, cert);
  } catch (error) {
    throw new UsageError(`the certificates cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

function systemRoots(): Buffer | null {
  const ask = (tls as { getCACertificates?: (type: "system") => string[] }).getCACertificates;
  if (ask) return Buffer.from(ask("system").join("\n"));
  const file = ROOT_FILES.find((name) => existsSync(name));
  return file ? readFile(file) : null;
}

// Node passes over what it cannot read, and would then trust nobody.
function readRoots(file: string): Buffer {
  const roots = readPem(file);
  try {
    new X509Certificate(roots);
  } catch (error) {
    throw new UsageError(`${file}: holds no certificate: ${(error as Error).message}`, { cause: error });
  }
  return roots;
}

function readPem(file: string): Buffer {
  const data = readFile(file);
  if (!data.includes("-----BEGIN ")) throw new UsageError(`${file}: is not PEM (-----BEGIN ...)`);
  return data;
}

function readFile(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`${file}: cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
