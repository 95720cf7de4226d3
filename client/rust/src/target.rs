//! Where a server is, in the words that gRPC uses in every language.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// The address of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl Target {
    /// Reads `HOST:PORT` (also after `dns:`, `dns:///`, `ipv4:` and `ipv6:`) or `unix:PATH`.
    pub(crate) fn parse(text: &str) -> Result<Target> {
        let unix = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:"));
        if let Some(path) = unix.filter(|path| !path.is_empty()) {
            return Ok(Target::Unix(PathBuf::from(path)));
        }
        let address =
            ["dns:///", "dns:", "ipv4:", "ipv6:"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
        let wrong = || Error::invalid(format!("address: got '{text}', wanted HOST:PORT or unix:PATH"));
        let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
        let host = match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').filter(|inner| inner.contains(':')).ok_or_else(wrong)?,
            None => host,
        };
        let bare = !address.starts_with('[');
        if host.is_empty() || host.contains(['/', ',', ' ']) || (bare && host.contains(':')) {
            return Err(wrong());
        }
        Ok(Target::Tcp { host: host.to_owned(), port: port.parse().map_err(|_| wrong())? })
    }

    /// True if it is on this machine whatever a name server says; false if in doubt.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Target::Unix(_) => true,
            // An IPv4 address within an IPv6 one is not taken for loopback.
            Target::Tcp { host, .. } => {
                host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        }
    }

    /// What calls name as their server.
    pub(crate) fn authority(&self) -> String {
        match self {
            Target::Unix(_) => "localhost".to_owned(),
            Target::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Target::Tcp { host, port } => format!("{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Target {
        Target::Tcp { host: host.to_owned(), port }
    }

    #[test]
    fn addresses_are_read_as_grpc_reads_them() {
        for (text, target) in [
            ("127.0.0.1:7701", tcp("127.0.0.1", 7701)),
            ("dns:///cdp.example.com:443", tcp("cdp.example.com", 443)),
            ("dns:cdp.example.com:443", tcp("cdp.example.com", 443)),
            ("[::1]:7701", tcp("::1", 7701)),
            ("ipv6:[::1]:7701", tcp("::1", 7701)),
            ("unix:/run/p.sock", Target::Unix("/run/p.sock".into())),
            ("unix:///run/p.sock", Target::Unix("/run/p.sock".into())),
            ("unix:p.sock", Target::Unix("p.sock".into())),
        ] {
            assert_eq!(Target::parse(text).expect(text), target, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "unix:", "localhost", "localhost:", "localhost:http", "::1:7701", "http://localhost:7701", "a:1,b:2"]
        {
            let error = Target::parse(text).expect_err(text);
            assert!(matches!(&error, Error::InvalidUse(message) if message.contains("HOST:PORT")), "{text}: {error}");
        }
    }

    #[test]
    fn only_what_is_surely_here_is_local() {
        for text in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "localhost:1",
            "LocalHost:1",
            "unix:/p.sock",
            "dns:///localhost:1",
        ] {
            assert!(Target::parse(text).expect(text).is_local(), "{text}");
        }
        for text in ["10.0.0.1:1", "localhost.example.com:1", "[::ffff:127.0.0.1]:1", "0.0.0.0:1", "127.0.0.1.nip.io:1"]
        {
            assert!(!Target::parse(text).expect(text).is_local(), "{text}");
        }
    }

    #[test]
    fn an_address_of_version_six_is_named_in_brackets() {
        assert_eq!(tcp("::1", 7701).authority(), "[::1]:7701");
        assert_eq!(tcp("localhost", 7701).authority(), "localhost:7701");
    }
}
