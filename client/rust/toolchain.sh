# Sourced by the scripts beside it: goes to the crate, and finds a cargo that is new enough.
cd "$(dirname "${BASH_SOURCE[0]}")"
export PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"

wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
found=$(rustc --version 2>/dev/null | cut -d ' ' -f 2 || true)
if [ -z "$found" ] || [ "$(printf '%s\n' "$wanted" "${found%%-*}" | sort -V | head -n 1)" != "$wanted" ]; then
  echo "Rust ${found:-is not there}: the client needs $wanted or newer, with cargo. Install it with" \
    "rustup (rustup toolchain install stable), or put one in the PATH." >&2
  exit 3
fi
if ! command -v "${PROTOC:-protoc}" >/dev/null; then
  echo "protoc is not there: apt install protobuf-compiler, or name it in PROTOC." >&2
  exit 3
fi
