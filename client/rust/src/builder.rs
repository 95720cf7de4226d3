//! Who calls and whom it trusts: the address, API keys, TLS, and what they are read from. No error text holds a key.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fmt, fs};

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::target::Target;
use crate::transport::{Connector, Outgoing};

const DEFAULT_ADDRESS: &str = "127.0.0.1:7701";
const SYSTEM_ROOTS: &str = "system";
const KEY_BYTES: usize = 512;
/// A connection that went silent is given up after both; the server takes pings 10 s apart and more.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// As long as gRPC waits for a connection in other languages.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Errors that name many fields are larger than the 16 KiB that HTTP/2 clients take by default.
const HEADER_BYTES: u32 = 64 * 1024;

/// How to reach a server. Begin with [`Client::at`] or [`Client::from_environment`], end with
/// [`connect`](ClientBuilder::connect).
#[derive(Clone)]
#[must_use = "nothing is connected until connect is called"]
pub struct ClientBuilder {
    address: Option<String>,
    instance: String,
    key: Option<String>,
    key_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    cert_key: Option<PathBuf>,
    server_name: Option<String>,
}

impl ClientBuilder {
    pub(crate) fn new(address: Option<String>) -> ClientBuilder {
        ClientBuilder {
            address,
            instance: "default".to_owned(),
            key: None,
            key_file: None,
            ca: None,
            cert: None,
            cert_key: None,
            server_name: None,
        }
    }

    /// The instance's id; `default` unless set.
    pub fn instance(mut self, id: impl Into<String>) -> Self {
        self.instance = id.into();
        self
    }

    /// The API key, `psk.ID.SECRET`, sent with every call: over TLS, or in plaintext to this machine.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into()).filter(|key| !key.is_empty());
        self
    }

    /// A file that holds the API key, read once, by `connect`.
    pub fn key_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key_file = given(path);
        self
    }

    /// Speaks TLS, and trusts the roots in this PEM file, or those of this machine if it is `system`.
    pub fn ca(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca = given(path);
        self
    }

    /// Speaks TLS, with this client certificate, a PEM file.
    pub fn cert(mut self, path: impl Into<PathBuf>) -> Self {
        self.cert = given(path);
        self
    }

    /// The client certificate's key, a PEM file.
    pub fn cert_key(mut self, path: impl Into<PathBuf>) -> Self {
        self.cert_key = given(path);
        self
    }

    /// The name that the server's certificate must have, if not the address's.
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into()).filter(|name| !name.is_empty());
        self
    }

    /// The client. Files are read now; the connection is made by the first call, which fails if there is no server.
    /// [`Error::InvalidUse`] for what cannot be used, for a key that would leave this machine in plaintext, and outside of
    /// tokio.
    pub fn connect(self) -> Result<Client> {
        self.connect_with(|name| env::var(name).ok())
    }

    fn connect_with(self, variable: impl Fn(&str) -> Option<String>) -> Result<Client> {
        let settings = if self.address.is_some() { self } else { self.or_from(variable) };
        let address = settings.address.as_deref().unwrap_or(DEFAULT_ADDRESS);
        let target = Target::parse(address)?;
        settings.check_plaintext(address, &target)?;
        let outgoing = Outgoing::new(settings.authorization()?);
        let endpoint = settings.endpoint(&target)?;
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(Error::invalid("connect was called outside of a tokio runtime"));
        }
        let channel = endpoint.connect_with_connector_lazy(Connector::new(target));
        Ok(Client::new(channel, outgoing, &settings.instance))
    }

    /// What is not said is read from variables; empty ones say nothing.
    fn or_from(mut self, variable: impl Fn(&str) -> Option<String>) -> ClientBuilder {
        let read = |name| variable(name).filter(|value| !value.is_empty());
        let path = |name| read(name).map(PathBuf::from);
        self.address = read("PASSERELLE_ADDRESS").or_else(|| Some(DEFAULT_ADDRESS.to_owned()));
        self.ca = self.ca.or_else(|| path("PASSERELLE_CA_FILE"));
        self.cert = self.cert.or_else(|| path("PASSERELLE_CLIENT_CERT"));
        self.cert_key = self.cert_key.or_else(|| path("PASSERELLE_CLIENT_KEY"));
        if self.key.is_none() && self.key_file.is_none() {
            self.key = read("PASSERELLE_API_KEY");
            self.key_file = if self.key.is_none() { path("PASSERELLE_API_KEY_FILE") } else { None };
        }
        self
    }

    fn tls(&self) -> bool {
        self.ca.is_some() || self.cert.is_some() || self.cert_key.is_some()
    }

    fn check_plaintext(&self, address: &str, target: &Target) -> Result<()> {
        let has_key = self.key.is_some() || self.key_file.is_some();
        if !has_key || self.tls() || target.is_local() {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the API key is not sent to {address} in plaintext, where others could read it: give the CA of its \
             certificate (ca), or connect on the server's own machine"
        )))
    }

    fn authorization(&self) -> Result<Option<MetadataValue<Ascii>>> {
        let (key, place) = match (&self.key, &self.key_file) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid("got an API key and a file of one, wanted one of the two"));
            }
            (None, None) => return Ok(None),
            (Some(key), None) => (key.clone(), "the API key".to_owned()),
            (None, Some(path)) => {
                let text = String::from_utf8_lossy(&read(path)?).trim().to_owned();
                (text, format!("key file {}", path.display()))
            }
        };
        if key.is_empty() {
            return Err(Error::invalid(format!("{place}: is empty")));
        }
        // Another secret, read by mistake (the server's own key file), must not be sent.
        let no_key = || {
            let length = key.chars().count();
            Error::invalid(format!("{place}: got {length} characters that are no API key, wanted psk.ID.SECRET"))
        };
        if !is_api_key(&key) {
            return Err(no_key());
        }
        let mut value: MetadataValue<Ascii> = format!("Bearer {key}").parse().map_err(|_| no_key())?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    fn endpoint(&self, target: &Target) -> Result<Endpoint> {
        let scheme = if self.tls() { "https" } else { "http" };
        let unusable =
            |error: tonic::transport::Error| Error::invalid(format!("{}: {}", target.authority(), causes(&error)));
        let endpoint = Endpoint::from_shared(format!("{scheme}://{}", target.authority()))
            .and_then(|endpoint| endpoint.user_agent(concat!("passerelle-rust/", env!("CARGO_PKG_VERSION"))))
            .map_err(unusable)?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .http2_max_header_list_size(HEADER_BYTES);
        if !self.tls() {
            return Ok(endpoint);
        }
        endpoint.tls_config(self.tls_config()?).map_err(unusable)
    }

    fn tls_config(&self) -> Result<ClientTlsConfig> {
        let mut config = ClientTlsConfig::new();
        config = match self.ca.as_deref().filter(|path| *path != Path::new(SYSTEM_ROOTS)) {
            Some(path) => config.ca_certificate(Certificate::from_pem(read_pem(path)?)),
            None => config.with_native_roots(),
        };
        if let Some(name) = &self.server_name {
            config = config.domain_name(name);
        }
        match (&self.cert, &self.cert_key) {
            (Some(cert), Some(key)) => Ok(config.identity(Identity::from_pem(read_pem(cert)?, read_pem(key)?))),
            (None, None) => Ok(config),
            _ => Err(Error::invalid("got one of a client certificate (cert) and its key (cert_key), wanted both")),
        }
    }
}

/// Without the key.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("address", &self.address)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

fn given(path: impl Into<PathBuf>) -> Option<PathBuf> {
    Some(path.into()).filter(|path| !path.as_os_str().is_empty())
}

fn is_api_key(key: &str) -> bool {
    let parts: Vec<&str> = key.split('.').collect();
    let whole = parts[0] == "psk" && parts.len() >= 3 && parts.iter().all(|part| !part.is_empty());
    whole && key.len() <= KEY_BYTES && key.bytes().all(|byte| byte.is_ascii_graphic())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| Error::invalid(format!("{}: {error}", path.display())))
}

fn read_pem(path: &Path) -> Result<Vec<u8>> {
    let data = read(path)?;
    let begin = b"-----BEGIN ";
    if data.windows(begin.len()).any(|window| window == begin) {
        return Ok(data);
    }
    Err(Error::invalid(format!("{}: is not PEM (-----BEGIN ...)", path.display())))
}

fn causes(error: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(error), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "psk.id.secret";

    fn refused(builder: ClientBuilder) -> String {
        refused_with(builder, |_| None)
    }

    fn refused_with(builder: ClientBuilder, variable: impl Fn(&str) -> Option<String>) -> String {
        let error = builder.connect_with(variable).expect_err("it is refused");
        assert!(matches!(error, Error::InvalidUse(_)), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
        error.to_string()
    }

    #[tokio::test]
    async fn a_key_never_leaves_this_machine_in_plaintext() {
        assert!(refused(Client::at("cdp.example.com:7701").key(KEY)).contains("plaintext"));
        assert!(refused(Client::at("10.0.0.1:7701").key_file("none.key")).contains("plaintext"));
        for address in ["127.0.0.1:7701", "localhost:7701", "unix:/p.sock"] {
            assert!(Client::at(address).key(KEY).connect_with(|_| None).is_ok(), "{address}");
        }
    }

    #[tokio::test]
    async fn what_is_no_api_key_is_not_sent() {
        for key in ["secret", "psk.secret", "psk..secret", "key.id.secret", "psk.id.sec ret", "psk.id.\u{e9}"] {
            assert!(refused(Client::at("127.0.0.1:1").key(key)).contains("psk.ID.SECRET"), "{key}");
        }
        assert!(
            refused(Client::at("127.0.0.1:1").key(format!("psk.id.{}", "s".repeat(600)))).contains("607 characters")
        );
        assert!(refused(Client::at("127.0.0.1:1").key(KEY).key_file("also")).contains("one of the two"));
        assert!(refused(Client::at("127.0.0.1:1").key_file("no/such/file")).contains("no/such/file"));
    }

    #[tokio::test]
    async fn with_an_address_nothing_is_read_from_the_environment() {
        let poisoned = |_: &str| -> Option<String> { panic!("it was read") };
        assert!(Client::at("127.0.0.1:1").connect_with(poisoned).is_ok());
    }

    #[tokio::test]
    async fn without_one_everything_that_is_not_said_is() {
        let only =
            |wanted: &'static str, value: &'static str| move |name: &str| (name == wanted).then(|| value.to_owned());
        let text = refused_with(Client::from_environment(), only("PASSERELLE_ADDRESS", "nowhere"));
        assert!(text.contains("got 'nowhere'"), "{text}");
        for name in ["PASSERELLE_API_KEY_FILE", "PASSERELLE_CA_FILE"] {
            let text = refused_with(Client::from_environment(), only(name, "no/such/file"));
            assert!(text.contains("no/such/file"), "{name}: {text}");
        }
        let text = refused_with(Client::from_environment(), only("PASSERELLE_API_KEY", "nonsense"));
        assert!(text.contains("8 characters"), "{text}");
        for name in ["PASSERELLE_CLIENT_CERT", "PASSERELLE_CLIENT_KEY"] {
            let text = refused_with(Client::from_environment(), only(name, "some.pem"));
            assert!(text.contains("wanted both"), "{name}: {text}");
        }
        let said = Client::from_environment().key(KEY).connect_with(only("PASSERELLE_API_KEY_FILE", "no/such/file"));
        assert!(said.is_ok(), "a key that is said goes before the environment's");
        let empty = Client::from_environment().connect_with(|_| Some(String::new()));
        assert!(empty.is_ok(), "an empty variable says nothing");
    }

    #[tokio::test]
    async fn files_that_are_not_pem_are_named() {
        let path = env::temp_dir().join(format!("passerelle-not-pem-{}", std::process::id()));
        fs::write(&path, "no certificate").expect("a file can be written");
        let text = refused(Client::at("127.0.0.1:1").ca(&path));
        fs::remove_file(&path).expect("the file is there");
        assert!(text.contains("is not PEM"), "{text}");
    }

    #[test]
    fn outside_of_tokio_it_is_refused_in_words() {
        assert!(refused(Client::at("127.0.0.1:1")).contains("tokio"));
    }

    #[test]
    fn what_is_shown_holds_no_key() {
        assert!(!format!("{:?}", Client::at("127.0.0.1:1").key(KEY)).contains("secret"));
    }
}
