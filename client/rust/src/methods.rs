//! What the wrapper knows of each method, generated from the protos and the service config.

use std::time::Duration;

/// How a call that changes nothing is repeated while the server is away; from `service_config.json`, which all
/// languages share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Tries in all.
    pub max_attempts: u32,
    /// The wait before the second try.
    pub initial_backoff: Duration,
    /// The longest wait.
    pub max_backoff: Duration,
    /// What each wait is multiplied by to make the next.
    pub backoff_multiplier: f64,
}

/// A request of a unary method; each such method has a request type of its own, so that the request names the call.
pub trait Unary: prost::Message + Clone + 'static {
    /// What the method answers.
    type Response: prost::Message + Default + 'static;
    /// The method's name, for example `passerelle.v1.AudienceService/GetAudience`.
    const METHOD: &'static str;
    /// How it is repeated; `None`: never, because it changes something.
    const RETRY: Option<RetryPolicy>;
    /// Makes the call once, by the generated stub.
    #[doc(hidden)]
    fn send(
        client: &crate::Client,
        request: tonic::Request<Self>,
    ) -> impl Future<Output = Result<tonic::Response<Self::Response>, tonic::Status>> + Send;
}

/// A request of a list.
pub trait Paged: Unary {
    /// What the list is of.
    type Item: prost::Message + Default + Send + 'static;
    /// Asks for the page after another.
    #[doc(hidden)]
    fn set_page_token(&mut self, token: String);
    /// A page's items, and the token of the next page, empty at the end.
    #[doc(hidden)]
    fn take_page(page: Self::Response) -> (Vec<Self::Item>, String);
}

include!(concat!(env!("OUT_DIR"), "/methods.rs"));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    #[test]
    fn reads_are_repeated_and_writes_are_not() {
        let policy = v1::GetAudienceRequest::RETRY.expect("a read is repeated");
        assert_eq!(policy.max_attempts, 4);
        assert_eq!(policy.initial_backoff, Duration::from_millis(100));
        assert_eq!(policy.max_backoff, Duration::from_secs(1));
        assert_eq!(policy.backoff_multiplier, 2.0);
        assert_eq!(v1::CreateAudienceRequest::RETRY, None);
    }

    #[test]
    fn streams_are_not_unary() {
        assert!(UNARY.contains(&("passerelle.v1.AudienceService", "GetAudience")));
        assert!(!UNARY.contains(&("passerelle.v1.LogService", "ExportLogs")));
        assert!(UNARY.is_sorted());
    }

    #[test]
    fn the_tables_name_every_method_once() {
        macro_rules! count {
            ($(($name:literal, $request:ident))*) => { [$($name),*].len() };
        }
        assert_eq!(unary_methods!(count), UNARY.len());
        assert!(paged_methods!(count) > 10);
    }
}
