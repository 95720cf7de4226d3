//! Errors of the service, typed: the reason, the fields, when to come again.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;

/// What every fallible function here gives.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something did not happen.
#[derive(Debug, Clone)]
pub enum Error {
    /// A call failed, on the server or on its way.
    Call(Box<CallError>),
    /// The client itself refused, before any call: a row that does not fit, a file that cannot be read, a key that
    /// would leave this machine in plaintext. Says what was got and what was wanted; never holds a key. Also what the
    /// caller's own rows failed with.
    InvalidUse(String),
}

/// A call that failed.
#[derive(Debug, Clone)]
pub struct CallError {
    /// gRPC's code.
    pub code: Code,
    /// A value of [`v1::ErrorReason`](crate::v1::ErrorReason) without its prefix, for example `DESTINATION_PAUSED`;
    /// empty where gRPC itself failed (no connection, an oversized message).
    pub reason: String,
    /// For people.
    pub message: String,
    /// What the reason adds, for example `next_offset`.
    pub metadata: BTreeMap<String, String>,
    /// The fields of the request that were refused.
    pub field_violations: Vec<FieldViolation>,
    /// How long the server wants to be left alone; `None` where it does not say.
    pub retry_delay: Option<Duration>,
}

/// A field of the request that was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// The field's path in the request.
    pub field: String,
    /// Why it was refused.
    pub description: String,
}

impl Error {
    pub(crate) fn invalid(text: impl Into<String>) -> Error {
        Error::InvalidUse(text.into())
    }

    pub(crate) fn from_status(status: &Status) -> Error {
        let details = status.get_error_details();
        let info = details.error_info();
        let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        Error::Call(Box::new(CallError {
            code: code_of(status),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            message: message_of(status),
            metadata: info.map(|info| info.metadata.clone().into_iter().collect()).unwrap_or_default(),
            field_violations: violations
                .iter()
                .map(|each| FieldViolation { field: each.field.clone(), description: each.description.clone() })
                .collect(),
            retry_delay: details.retry_info().and_then(|retry| retry.retry_delay),
        }))
    }

    /// An error that no server sent.
    pub(crate) fn local(code: Code, message: &str) -> Error {
        Error::from_status(&Status::new(code, message))
    }

    /// The failed call; `None` if the client refused before any.
    pub fn call(&self) -> Option<&CallError> {
        match self {
            Error::Call(error) => Some(error),
            Error::InvalidUse(_) => None,
        }
    }

    /// The reason of the failed call; empty where there is none.
    pub fn reason(&self) -> &str {
        self.call().map_or("", |error| error.reason.as_str())
    }

    /// gRPC's code of the failed call; `None` if the client refused before any.
    pub fn code(&self) -> Option<Code> {
        self.call().map(|error| error.code)
    }

    /// See [`CallError::retryable`]; false for what the client refused.
    pub fn retryable(&self) -> bool {
        self.call().is_some_and(CallError::retryable)
    }
}

impl CallError {
    /// The same may succeed later: the server was away, was too busy and said so, was stopped while it worked, or ended a
    /// stream because its destination was changed (MAPPING_CHANGED), which may be opened again at once.
    ///
    /// Of a call that the server was stopped in, gRPC says CANCELLED and the server no reason; whether it was done is
    /// not known. A stream that ended without an error, but before its last message, is UNAVAILABLE.
    pub fn retryable(&self) -> bool {
        match self.code {
            Code::Unavailable => true,
            Code::ResourceExhausted => self.retry_delay.is_some(),
            Code::Cancelled => self.reason.is_empty(),
            Code::Aborted => self.reason == "MAPPING_CHANGED",
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Call(error) => error.fmt(f),
            Error::InvalidUse(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = if self.reason.is_empty() { "" } else { " " };
        write!(f, "{}{gap}{}: {}", code_name(self.code), self.reason, self.message)
    }
}

impl StdError for Error {}

/// What a stub's own call failed with, typed.
impl From<Status> for Error {
    fn from(status: Status) -> Error {
        Error::from_status(&status)
    }
}

impl StdError for CallError {}

/// gRPC's name of a code, for example `NOT_FOUND`.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// What tonic says of a message that is larger than its limit.
const TOO_LARGE: &str = "Error, decoded message length too large";

/// What tonic says of a call that its server gave up in the middle of a message; between two the stream just ends.
const CUT_OFF: &str = "Unexpected EOF decoding stream.";

/// The code that gRPC in other languages gives. A status with a source was made by the transport and not by a server:
/// tonic calls a lost connection UNKNOWN or CANCELLED, a deadline CANCELLED, and an oversized message OUT_OF_RANGE.
fn code_of(status: &Status) -> Code {
    if let Some(source) = status.source() {
        return transport_code(source);
    }
    if status.code() == Code::OutOfRange && status.message().starts_with(TOO_LARGE) {
        return Code::ResourceExhausted;
    }
    if status.code() == Code::Internal && status.message() == CUT_OFF {
        return Code::Unavailable;
    }
    status.code()
}

fn transport_code(source: &(dyn StdError + 'static)) -> Code {
    for error in chain(source) {
        if error.is::<tonic::TimeoutExpired>() {
            return Code::DeadlineExceeded;
        }
        // A server that gives one call up says why in RST_STREAM; everything else is a connection that is lost.
        if let Some(reason) =
            error.downcast_ref::<h2::Error>().filter(|reset| reset.is_reset()).and_then(h2::Error::reason)
        {
            return reset_code(reason);
        }
    }
    Code::Unavailable
}

fn reset_code(reason: h2::Reason) -> Code {
    match reason {
        h2::Reason::CANCEL => Code::Cancelled,
        h2::Reason::REFUSED_STREAM => Code::Unavailable,
        h2::Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        h2::Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Internal,
    }
}

/// What the transport says is in the sources of its errors: "transport error" alone helps nobody.
fn message_of(status: &Status) -> String {
    let mut text = status.message().to_owned();
    for error in status.source().into_iter().flat_map(chain) {
        let part = error.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
    }
    text
}

fn chain<'a>(first: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    let mut next = Some(first);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io;
    use std::sync::Arc;

    use tonic_types::ErrorDetails;

    use super::*;

    fn call_error(status: &Status) -> CallError {
        Error::from_status(status).call().expect("a call failed").clone()
    }

    #[test]
    fn details_of_the_server_are_read() {
        let mut details = ErrorDetails::with_error_info(
            "OFFSET_GAP",
            "passerelle",
            HashMap::from([("next_offset".into(), "7".into())]),
        );
        details.add_bad_request_violation("batch.offset", "too far");
        details.set_retry_info(Some(Duration::from_millis(1500)));
        let error = call_error(&Status::with_error_details(Code::OutOfRange, "offset: got 9", details));
        assert_eq!((error.code, error.reason.as_str()), (Code::OutOfRange, "OFFSET_GAP"));
        assert_eq!(error.metadata["next_offset"], "7");
        let violation = FieldViolation { field: "batch.offset".into(), description: "too far".into() };
        assert_eq!(error.field_violations, [violation]);
        assert_eq!(error.retry_delay, Some(Duration::from_millis(1500)));
        assert_eq!(error.to_string(), "OUT_OF_RANGE OFFSET_GAP: offset: got 9");
        assert!(!error.retryable());
    }

    #[test]
    fn busy_counts_as_retryable_only_when_the_server_says_when() {
        assert!(!call_error(&Status::resource_exhausted("full")).retryable());
        let wait = ErrorDetails::with_retry_info(Some(Duration::from_secs(1)));
        assert!(call_error(&Status::with_error_details(Code::ResourceExhausted, "full", wait)).retryable());
    }

    #[test]
    fn a_call_cut_off_is_retryable_and_one_cancelled_by_the_server_is_not() {
        assert!(call_error(&Status::cancelled("")).retryable());
        let named = ErrorDetails::with_error_info("CALL_CANCELLED", "passerelle", HashMap::<String, String>::new());
        assert!(!call_error(&Status::with_error_details(Code::Cancelled, "", named)).retryable());
    }

    #[test]
    fn of_what_was_aborted_only_a_stream_whose_mapping_changed_is_retryable() {
        let aborted = |reason: &str| {
            let details = ErrorDetails::with_error_info(reason, "passerelle", HashMap::<String, String>::new());
            call_error(&Status::with_error_details(Code::Aborted, "", details)).retryable()
        };
        assert!(aborted("MAPPING_CHANGED"));
        assert!(!aborted("EPOCH_FENCED"));
        assert!(!call_error(&Status::aborted("")).retryable());
    }

    #[test]
    fn codes_of_the_transport_are_those_of_other_languages() {
        let mut lost = Status::unknown("transport error");
        lost.set_source(Arc::new(io::Error::new(io::ErrorKind::ConnectionReset, "connection reset")));
        let error = call_error(&lost);
        assert_eq!(error.code, Code::Unavailable);
        assert_eq!(error.message, "transport error: connection reset");
        let mut late = Status::cancelled("Timeout expired");
        late.set_source(Arc::new(tonic::TimeoutExpired(())));
        assert_eq!(call_error(&late).code, Code::DeadlineExceeded);
        let large = Status::out_of_range(format!("{TOO_LARGE}: found 20 bytes, the limit is: 16 bytes"));
        assert_eq!(call_error(&large).code, Code::ResourceExhausted);
        assert_eq!(call_error(&Status::out_of_range("cursor")).code, Code::OutOfRange);
        assert_eq!(call_error(&Status::internal(CUT_OFF)).code, Code::Unavailable);
        assert_eq!(call_error(&Status::internal("a bug")).code, Code::Internal);
    }

    #[test]
    fn a_reset_tells_why() {
        assert_eq!(transport_code(&h2::Error::from(h2::Reason::CANCEL)), Code::Unavailable);
        assert_eq!(reset_code(h2::Reason::CANCEL), Code::Cancelled);
        assert_eq!(reset_code(h2::Reason::PROTOCOL_ERROR), Code::Internal);
    }
}
