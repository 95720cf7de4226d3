//! The client: a channel, one stub for each service, and the loops over them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use futures_util::stream;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::transport::Channel;
use tonic::{Code, Request, Response};

use crate::builder::ClientBuilder;
use crate::error::{Error, Result};
use crate::export::ExportLogs;
use crate::ingest::{AppendLogs, ImportProfiles, Ingest, PushMembers, SyncProfiles};
use crate::items::Items;
use crate::members::StreamMembers;
use crate::methods::{Paged, RetryPolicy, Unary};
use crate::patience::{Patience, jitter, patiently};
use crate::rows::{Row, Source};
use crate::transport::{CALL_TIMEOUT, Outgoing, Transport};
use crate::v1::field_mapping::Target;
use crate::v1::{self, AttributeType};

/// Longer than any caller waits, and not so long that a moment after it could not be told.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A connection to a server, and the instance that names are made in. Cheap to clone; clones share the connection, which
/// is made at the first call and made again when it is lost. Safe to use from many tasks at once.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
    outgoing: Outgoing,
    instance: String,
}

impl Client {
    pub(crate) fn new(channel: Channel, outgoing: Outgoing, instance: &str) -> Client {
        Client { channel, outgoing, instance: format!("instances/{instance}") }
    }

    /// A client of the server at this address; nothing is read from the environment.
    pub fn at(address: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(Some(address.into()))
    }

    /// A client of the server at `PASSERELLE_ADDRESS`, or else `127.0.0.1:7701`. What the builder is not told is read from
    /// `PASSERELLE_API_KEY`, `PASSERELLE_API_KEY_FILE`, `PASSERELLE_CA_FILE`, `PASSERELLE_CLIENT_CERT` and
    /// `PASSERELLE_CLIENT_KEY`.
    pub fn from_environment() -> ClientBuilder {
        ClientBuilder::new(None)
    }

    /// The instance's name, for example `instances/default`.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// A resource name in this client's instance: `name("audiences/vip")`.
    pub fn name(&self, path: impl fmt::Display) -> String {
        format!("{}/{path}", self.instance)
    }

    pub(crate) fn transport(&self) -> Transport {
        Transport::new(self.channel.clone(), self.outgoing.clone())
    }

    // ---- unary calls ----------------------------------------------------------------------------

    /// Makes one unary call, within 30 seconds: `call(v1::GetAudienceRequest { .. })`.
    ///
    /// A call that changes nothing is repeated while the server is away, as the service config says. One that the server
    /// was too busy to begin is made again when it says. Writes are sent once: give them a `request_id` to repeat them.
    pub async fn call<R: Unary>(&self, request: R) -> Result<R::Response> {
        self.call_within(request, CALL_TIMEOUT).await
    }

    /// As [`call`](Client::call), with a deadline of the caller's own.
    pub async fn call_within<R: Unary>(&self, request: R, time: Duration) -> Result<R::Response> {
        Ok(self.respond(request, time).await?.into_inner())
    }

    /// As [`call_within`](Client::call_within), and gives the metadata too: a write that answers with a bare resource tells
    /// its `commit-token` there.
    pub async fn respond<R: Unary>(&self, request: R, time: Duration) -> Result<Response<R::Response>> {
        let (deadline, mut patience) = (Instant::now() + time.min(FOREVER), Patience::new(time));
        loop {
            match self.attempts(&request, deadline).await {
                Err(error) if error.reason() == "OVERLOADED" => patience.wait(error, true, Some(deadline)).await?,
                result => return result,
            }
        }
    }

    /// As often as the method's retry policy says.
    async fn attempts<R: Unary>(&self, request: &R, deadline: Instant) -> Result<Response<R::Response>> {
        let mut attempt = 1;
        loop {
            let error = match self.attempt(request, deadline).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            let again =
                R::RETRY.filter(|policy| attempt < policy.max_attempts && error.code() == Some(Code::Unavailable));
            let Some(pause) = again.map(|policy| backoff(&policy, attempt)) else { return Err(error) };
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt<R: Unary>(&self, request: &R, deadline: Instant) -> Result<Response<R::Response>> {
        let mut outgoing = Request::new(request.clone());
        outgoing.set_timeout(deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)));
        match timeout_at(deadline, R::send(self, outgoing)).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(Error::local(Code::DeadlineExceeded, "the deadline passed")),
        }
    }

    /// All items of a list, page by page: `pages(v1::ListAudiencesRequest { .. })`.
    pub fn pages<R: Paged>(&self, request: R) -> Items<R::Item> {
        struct Pages<R: Paged> {
            client: Client,
            request: R,
            items: VecDeque<R::Item>,
            last: bool,
        }
        let state = Pages { client: self.clone(), request, items: VecDeque::new(), last: false };
        Items::new(stream::try_unfold(state, |mut state| async move {
            while state.items.is_empty() && !state.last {
                let (items, token) = R::take_page(state.client.call(state.request.clone()).await?);
                state.items = items.into();
                state.last = token.is_empty();
                state.request.set_page_token(token);
            }
            Ok(state.items.pop_front().map(|item| (item, state)))
        }))
    }

    // ---- in -------------------------------------------------------------------------------------

    /// Creates profiles or updates them. Fields are attribute ids.
    pub fn import_profiles<'a>(&self, rows: impl Into<Source<'a, Row>>) -> Ingest<'a, ImportProfiles> {
        Ingest::new(self.clone(), ImportProfiles::new(&self.instance), rows.into())
    }

    /// Updates profiles that exist, through a PROFILE_SYNC destination, by its id. Fields are its source fields.
    pub fn sync_profiles<'a>(&self, destination: &str, rows: impl Into<Source<'a, Row>>) -> Ingest<'a, SyncProfiles> {
        let destination = self.name(format!("destinations/{destination}"));
        Ingest::new(self.clone(), SyncProfiles::new(destination), rows.into())
    }

    /// Pushes memberships through an AUDIENCE_SYNC destination, by its id. With [`replace`](Ingest::replace), the rows are
    /// the whole of its one audience.
    pub fn push_members<'a>(&self, destination: &str, rows: impl Into<Source<'a, Row>>) -> Ingest<'a, PushMembers> {
        let destination = self.name(format!("destinations/{destination}"));
        Ingest::new(self.clone(), PushMembers::new(destination), rows.into())
    }

    /// Appends log rows: [`v1::LogEntry`], or [`v1::RawLogEntry`] where texts may not be UTF-8.
    pub fn append_logs<'a, R>(&self, rows: impl Into<Source<'a, R>>) -> Ingest<'a, AppendLogs>
    where
        R: Into<v1::RawLogEntry> + Send + 'a,
    {
        Ingest::new(self.clone(), AppendLogs::new(&self.instance), rows.into().into_rows_of())
    }

    // ---- out ------------------------------------------------------------------------------------

    /// Log rows from a cursor or a consumer's position on, in batches.
    pub fn export_logs(&self) -> ExportLogs {
        ExportLogs::new(self.clone())
    }

    /// Stores a consumer's position, durably.
    pub async fn acknowledge(&self, source: &str, consumer: &str, cursor: &str) -> Result<v1::Consumer> {
        let name = self.name(format!("sources/{source}/consumers/{consumer}"));
        self.call(v1::AcknowledgeRequest { name, cursor: cursor.to_owned() }).await
    }

    /// Members of an audience that can be reached on the channel: all, or what changed since an end token.
    pub fn stream_members(&self, audience: &str, channel: &str) -> StreamMembers {
        StreamMembers::new(self.clone(), audience, channel)
    }

    // ---- schema ---------------------------------------------------------------------------------

    /// Creates an attribute; one that is there already is left as it is. Gives what is there then.
    pub async fn create_attribute(
        &self,
        attribute: &str,
        kind: AttributeType,
        consent: Option<v1::Consent>,
    ) -> Result<v1::Attribute> {
        let create = v1::CreateAttributeRequest {
            parent: self.instance.clone(),
            attribute_id: attribute.to_owned(),
            attribute: Some(v1::Attribute { r#type: kind as i32, consent, ..v1::Attribute::default() }),
            ..v1::CreateAttributeRequest::default()
        };
        match self.call(create).await {
            Err(error) if error.reason() == "RESOURCE_ALREADY_EXISTS" => {
                let name = self.name(format!("attributes/{attribute}"));
                self.call(v1::GetAttributeRequest { name, ..v1::GetAttributeRequest::default() }).await
            }
            result => result,
        }
    }

    /// The type of every attribute, by id.
    pub async fn attribute_types(&self) -> Result<BTreeMap<String, AttributeType>> {
        let parent = self.instance.clone();
        let list = v1::ListAttributesRequest { parent, page_size: 1000, ..v1::ListAttributesRequest::default() };
        let attributes = self.pages(list).collect().await?;
        let id_of = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(attributes.iter().map(|attribute| (id_of(&attribute.name), attribute.r#type())).collect())
    }

    /// Tells each field the type of the attribute of that id. One the server does not know is sent as text: its answer
    /// names it.
    pub(crate) async fn resolve_attributes(
        &self,
        fields: &mut [(String, AttributeType)],
        retry_for: Duration,
    ) -> Result<()> {
        if !fields.is_empty() {
            let known = patiently(retry_for, || self.attribute_types()).await?;
            for (field, kind) in fields {
                *kind = known.get(field).copied().unwrap_or(AttributeType::String);
            }
        }
        Ok(())
    }

    /// Tells each source field of the destination the type of the attribute that it is mapped to.
    pub(crate) async fn resolve_mappings(
        &self,
        destination: &str,
        fields: &mut [(String, AttributeType)],
        retry_for: Duration,
    ) -> Result<()> {
        if fields.is_empty() {
            return Ok(());
        }
        let known = patiently(retry_for, || self.attribute_types()).await?;
        let get = v1::GetDestinationRequest { name: destination.to_owned(), ..v1::GetDestinationRequest::default() };
        let found = patiently(retry_for, || self.call(get.clone())).await?;
        let attribute_of = |mapping: &v1::FieldMapping| match &mapping.target {
            Some(Target::Attribute(attribute)) => known.get(attribute).copied(),
            _ => None,
        };
        let mapped: HashMap<_, _> =
            found.mappings.iter().map(|each| (each.source_field.clone(), attribute_of(each))).collect();
        for (field, kind) in fields {
            *kind = mapped.get(field).copied().flatten().unwrap_or(AttributeType::String);
        }
        Ok(())
    }
}

/// Without the key.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("instance", &self.instance).finish_non_exhaustive()
    }
}

/// The wait after the `attempt`-th try.
fn backoff(policy: &RetryPolicy, attempt: u32) -> Duration {
    let grown = policy.initial_backoff.mul_f64(policy.backoff_multiplier.powi(attempt as i32 - 1));
    grown.min(policy.max_backoff).mul_f64(jitter(0.8, 1.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_and_what_they_give_go_between_threads() {
        fn shared<T: Send + Sync>() {}
        fn sent<T: Send>() {}
        shared::<Client>();
        shared::<Error>();
        sent::<Items<v1::Audience>>();
        sent::<crate::LogBatch>();
        sent::<crate::MemberStream>();
        sent::<<Ingest<'static, ImportProfiles> as IntoFuture>::IntoFuture>();
    }

    #[test]
    fn waits_between_tries_grow_to_the_longest() {
        let policy = RetryPolicy {
            max_attempts: 9,
            initial_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(1),
            backoff_multiplier: 2.0,
        };
        for (attempt, expected) in [(1, 0.1), (2, 0.2), (3, 0.4), (5, 1.0), (8, 1.0)] {
            let waited = backoff(&policy, attempt).as_secs_f64();
            assert!(waited >= expected * 0.8 && waited <= expected * 1.2, "{attempt}: {waited}");
        }
    }
}
