//! The channel: how connections are made and made again, and what goes with every call.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep_until};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{GrpcMethod, Request, Status};

use crate::methods::UNARY;
use crate::patience::jitter;
use crate::target::Target;

/// The deadline of a unary call that sets none.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// What the generated stubs call through: one connection, which is made again when it is lost.
pub type Transport = InterceptedService<Channel, Outgoing>;

/// What goes with every call: the API key, and a deadline for unary calls without one.
#[derive(Clone)]
pub struct Outgoing {
    authorization: Option<MetadataValue<Ascii>>,
}

impl Outgoing {
    pub(crate) fn new(authorization: Option<MetadataValue<Ascii>>) -> Outgoing {
        Outgoing { authorization }
    }
}

impl Interceptor for Outgoing {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        let method = request.extensions().get::<GrpcMethod<'static>>();
        let unary = method.is_some_and(|method| UNARY.binary_search(&(method.service(), method.method())).is_ok());
        if unary && !request.metadata().contains_key("grpc-timeout") {
            request.set_timeout(CALL_TIMEOUT);
        }
        Ok(request)
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Calls that waited for one try to connect share its failure; each would else wait for a try of its own.
const SHARED_FOR: Duration = Duration::from_millis(50);

/// Makes connections to one server, with a pause after one that failed: a server that comes back is found within a
/// second, and one that does not is not hammered.
#[derive(Clone)]
pub(crate) struct Connector {
    target: Arc<Target>,
    pause: Arc<Mutex<Option<Pause>>>,
}

/// Since the last try failed.
struct Pause {
    failed: Instant,
    length: Duration,
    kind: io::ErrorKind,
    message: String,
}

impl Connector {
    pub(crate) fn new(target: Target) -> Connector {
        Connector { target: Arc::new(target), pause: Arc::new(Mutex::new(None)) }
    }

    async fn connect(self) -> io::Result<TokioIo<BoxedIo>> {
        sleep_until(self.next_try(Instant::now())?).await;
        let connected = open(&self.target).await;
        self.note(connected.as_ref().err(), Instant::now());
        Ok(TokioIo::new(connected?))
    }

    /// When to try, or the failure that is still fresh.
    fn next_try(&self, now: Instant) -> io::Result<Instant> {
        let pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        match &*pause {
            None => Ok(now),
            Some(pause) if now < pause.failed + SHARED_FOR => Err(io::Error::new(pause.kind, pause.message.clone())),
            Some(pause) => Ok(pause.failed + pause.length.mul_f64(jitter(0.8, 1.2))),
        }
    }

    fn note(&self, failure: Option<&io::Error>, now: Instant) {
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        *pause = failure.map(|error| Pause {
            failed: now,
            length: pause.as_ref().map_or(FIRST_PAUSE, |last| last.length.mul_f64(1.6).min(LONGEST_PAUSE)),
            kind: error.kind(),
            message: error.to_string(),
        });
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<BoxedIo>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

/// A connection of either kind.
pub(crate) type BoxedIo = Box<dyn Connection>;
pub(crate) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

async fn open(target: &Target) -> io::Result<BoxedIo> {
    match target {
        Target::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        Target::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector() -> Connector {
        Connector::new(Target::Tcp { host: "localhost".into(), port: 1 })
    }

    #[test]
    fn the_pause_grows_to_a_second_and_ends_with_a_connection() {
        let (connector, start) = (connector(), Instant::now());
        assert_eq!(connector.next_try(start).expect("nothing failed yet"), start);
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        connector.note(Some(&refused), start);
        let later = start + SHARED_FOR;
        let first = connector.next_try(later).expect("not fresh any more") - start;
        assert!(first >= FIRST_PAUSE.mul_f64(0.8) && first <= FIRST_PAUSE.mul_f64(1.2), "{first:?}");
        for _ in 0..10 {
            connector.note(Some(&refused), start);
        }
        let longest = connector.next_try(later).expect("not fresh any more") - start;
        assert!(longest >= LONGEST_PAUSE.mul_f64(0.8) && longest <= LONGEST_PAUSE.mul_f64(1.2), "{longest:?}");
        connector.note(None, start);
        assert_eq!(connector.next_try(later).expect("it is connected"), later);
    }

    #[test]
    fn calls_that_waited_for_one_try_share_its_failure() {
        let (connector, start) = (connector(), Instant::now());
        connector.note(Some(&io::Error::from(io::ErrorKind::ConnectionRefused)), start);
        let shared = connector.next_try(start + Duration::from_millis(1)).expect_err("it is fresh");
        assert_eq!(shared.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn unary_calls_have_a_deadline_and_streams_have_none() {
        let timeout = |service, method| {
            let mut request = Request::new(());
            request.extensions_mut().insert(GrpcMethod::new(service, method));
            let sent = Outgoing::new(None).call(request).expect("nothing refuses");
            sent.metadata().get("grpc-timeout").cloned()
        };
        assert!(timeout("passerelle.v1.AudienceService", "GetAudience").is_some());
        assert!(timeout("passerelle.v1.LogService", "ExportLogs").is_none());
    }

    #[test]
    fn a_deadline_of_the_callers_own_is_kept() {
        let mut request = Request::new(());
        request.extensions_mut().insert(GrpcMethod::new("passerelle.v1.AudienceService", "GetAudience"));
        request.set_timeout(Duration::from_millis(1500));
        let before = request.metadata().get("grpc-timeout").cloned();
        let sent = Outgoing::new(None).call(request).expect("nothing refuses");
        assert_eq!(sent.metadata().get("grpc-timeout").cloned(), before);
    }

    #[test]
    fn the_key_goes_with_every_call() {
        let key = MetadataValue::from_static("Bearer psk.a.b");
        let sent = Outgoing::new(Some(key)).call(Request::new(())).expect("nothing refuses");
        assert_eq!(
            sent.metadata().get("authorization").map(|value| value.as_bytes()),
            Some(b"Bearer psk.a.b".as_slice())
        );
    }
}
