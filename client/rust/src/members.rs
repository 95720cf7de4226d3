//! Members of an audience, in full or what changed.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use futures_util::stream;
use tonic::{Code, Streaming};

use crate::client::Client;
use crate::columns::decode;
use crate::error::{Error, Result};
use crate::items::Items;
use crate::patience::{Patience, RETRY_FOR};
use crate::v1::stream_members_response::{Batch, Header, Message, Trailer};
use crate::v1::{AttributeType, ExclusionReason, Reach, StreamMembersRequest, StreamMembersResponse};
use crate::value::{Timestamp, Value};

use crate::v1::stream_members_response::Change as WireChange;

/// Whose members, and what of them; [`start`](StreamMembers::start) gives them.
#[derive(Debug, Clone)]
#[must_use = "nothing is streamed until it is started"]
pub struct StreamMembers {
    client: Client,
    request: StreamMembersRequest,
    retry_for: Duration,
}

impl StreamMembers {
    pub(crate) fn new(client: Client, audience: &str, channel: &str) -> StreamMembers {
        let request = StreamMembersRequest {
            audience: client.name(format!("audiences/{audience}")),
            reach: Some(Reach { channel: channel.to_owned(), purpose: String::new() }),
            ..StreamMembersRequest::default()
        };
        StreamMembers { client, request, retry_for: RETRY_FOR }
    }

    /// The purpose that the members must be reachable for.
    pub fn purpose(mut self, purpose: impl Into<String>) -> Self {
        self.request.reach.get_or_insert_default().purpose = purpose.into();
        self
    }

    /// Attributes to send, by id.
    pub fn attributes<I: Into<String>>(mut self, attributes: impl IntoIterator<Item = I>) -> Self {
        self.request.attributes = attributes.into_iter().map(Into::into).collect();
        self
    }

    /// Namespaces of the identities to send; `external_id` unless set.
    pub fn identities<I: Into<String>>(mut self, namespaces: impl IntoIterator<Item = I>) -> Self {
        self.request.identity_namespaces = namespaces.into_iter().map(Into::into).collect();
        self
    }

    /// Attributes without which a member is left out.
    pub fn mandatory<I: Into<String>>(mut self, attributes: impl IntoIterator<Item = I>) -> Self {
        self.request.mandatory_attributes = attributes.into_iter().map(Into::into).collect();
        self
    }

    /// What changed since this end token of an earlier stream.
    pub fn since(mut self, end_token: impl Into<String>) -> Self {
        self.request.since_token = end_token.into();
        self
    }

    /// Gives up when the server could not be reached, or ended the stream too early, for this long and no members came: a
    /// minute unless set.
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }

    /// The members; goes on after the last message while the server is away.
    pub fn start(self) -> MemberStream {
        let ends = Arc::new(Mutex::new(Ends::default()));
        let mut namespaces = self.request.identity_namespaces.clone();
        if namespaces.is_empty() {
            namespaces.push("external_id".to_owned());
        }
        let state = Members {
            client: self.client,
            request: self.request,
            retry_for: self.retry_for,
            patience: Patience::new(self.retry_for),
            columns: None,
            namespaces,
            call: None,
            members: VecDeque::new(),
            ends: Arc::clone(&ends),
        };
        let items = Items::new(stream::try_unfold(state, |mut state| async move {
            Ok(state.next().await?.map(|member| (member, state)))
        }));
        MemberStream { items, ends }
    }
}

/// A member. What it does not have of what was asked for is not in the maps.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The profile's id.
    pub profile: i64,
    /// By namespace.
    pub identities: BTreeMap<String, String>,
    /// By attribute id.
    pub attributes: BTreeMap<String, Value>,
    /// Since when it qualifies.
    pub qualification_time: Timestamp,
    /// What the stream says of it.
    pub change: Change,
}

/// What a stream says of a member. Shows as `MEMBER`, `ENTERED` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// In a full stream: it is one.
    Member,
    /// It came in.
    Entered,
    /// It left, was deleted, or can no longer be reached.
    Exited,
    /// It is one, and something of it changed. Store it if you do not hold it.
    Updated,
    /// What only a newer server knows.
    Other(i32),
}

impl Change {
    fn from_wire(number: Option<i32>) -> Change {
        match number.map(|number| WireChange::try_from(number).map_err(|_| number)) {
            None | Some(Ok(WireChange::Unspecified)) => Change::Member,
            Some(Ok(WireChange::Entered)) => Change::Entered,
            Some(Ok(WireChange::Exited)) => Change::Exited,
            Some(Ok(WireChange::Updated)) => Change::Updated,
            Some(Err(number)) => Change::Other(number),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Member => f.write_str("MEMBER"),
            Change::Entered => f.write_str("ENTERED"),
            Change::Exited => f.write_str("EXITED"),
            Change::Updated => f.write_str("UPDATED"),
            Change::Other(number) => number.fmt(f),
        }
    }
}

/// Members, one by one; after the last, [`trailer`](MemberStream::trailer) tells the counts and
/// [`end_token`](MemberStream::end_token) where an incremental begins. Dropping it cancels its call.
#[must_use = "nothing is asked for until the first member is"]
pub struct MemberStream {
    items: Items<Member>,
    ends: Arc<Mutex<Ends>>,
}

#[derive(Default)]
struct Ends {
    header: Option<Header>,
    trailer: Option<Trailer>,
}

impl MemberStream {
    /// The next one; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Member>> {
        self.items.next().await
    }

    /// What the stream is: the sequence whose membership it tells. `None` before the first member.
    pub fn header(&self) -> Option<Header> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).header
    }

    /// The counts; `None` before the end.
    pub fn trailer(&self) -> Option<Trailer> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).trailer.clone()
    }

    /// Where an incremental begins; `None` before the end.
    pub fn end_token(&self) -> Option<String> {
        self.trailer().map(|trailer| trailer.end_token)
    }

    /// Members left out, by reason without prefix, for example `OPTED_OUT`; empty before the end.
    pub fn excluded(&self) -> BTreeMap<String, i64> {
        let counts = self.trailer().map(|trailer| trailer.excluded).unwrap_or_default();
        counts.iter().map(|count| (exclusion_name(count.reason), count.members)).collect()
    }
}

impl Stream for MemberStream {
    type Item = Result<Member>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.items).poll_next(context)
    }
}

fn exclusion_name(reason: i32) -> String {
    match ExclusionReason::try_from(reason) {
        Ok(known) => known.as_str_name().trim_start_matches("EXCLUSION_REASON_").to_owned(),
        Err(_) => reason.to_string(),
    }
}

struct Members {
    client: Client,
    request: StreamMembersRequest,
    retry_for: Duration,
    patience: Patience,
    /// The attributes asked for and their types, once they are known.
    columns: Option<Vec<(String, AttributeType)>>,
    namespaces: Vec<String>,
    call: Option<Streaming<StreamMembersResponse>>,
    members: VecDeque<Member>,
    ends: Arc<Mutex<Ends>>,
}

impl Members {
    async fn next(&mut self) -> Result<Option<Member>> {
        if self.columns.is_none() {
            let attributes = self.request.attributes.iter();
            let mut columns = attributes.map(|id| (id.clone(), AttributeType::String)).collect::<Vec<_>>();
            self.client.resolve_attributes(&mut columns, self.retry_for).await?;
            self.columns = Some(columns);
        }
        loop {
            if let Some(member) = self.members.pop_front() {
                return Ok(Some(member));
            }
            match self.receive().await {
                Ok(None) => return Ok(None),
                Ok(Some(message)) => self.take(message)?,
                Err(error) => {
                    self.call = None;
                    self.patience.wait(error, true, None).await?;
                }
            }
        }
    }

    async fn receive(&mut self) -> Result<Option<StreamMembersResponse>> {
        let call = match &mut self.call {
            Some(call) => call,
            None => {
                let begun = self.client.activation_service().stream_members(self.request.clone()).await;
                self.call.insert(begun?.into_inner())
            }
        };
        match call.message().await {
            Ok(Some(message)) => Ok(Some(message)),
            // There is nothing more to ask for, however the call ended.
            _ if self.ends().trailer.is_some() => Ok(None),
            Ok(None) => Err(Error::local(Code::Unavailable, "the server ended the members without a trailer")),
            Err(status) => Err(status.into()),
        }
    }

    fn ends(&self) -> std::sync::MutexGuard<'_, Ends> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&mut self, message: StreamMembersResponse) -> Result<()> {
        // Each try begins with a header: by itself it gets nothing on.
        let progress = !matches!(message.message, Some(Message::Header(_)));
        match message.message {
            Some(Message::Header(header)) => self.ends().header = Some(header),
            Some(Message::Trailer(trailer)) => self.ends().trailer = Some(trailer),
            Some(Message::Batch(batch)) => {
                let columns = self.columns.as_deref().unwrap_or_default();
                self.members = read(batch, &self.namespaces, columns)?;
            }
            None => {}
        }
        self.request.resume_token = message.resume_token;
        if progress {
            self.patience.progressed();
        }
        Ok(())
    }
}

/// Members out of columns.
fn read(batch: Batch, namespaces: &[String], attributes: &[(String, AttributeType)]) -> Result<VecDeque<Member>> {
    let records = batch.profiles.len();
    let uneven = batch.identities.len() != namespaces.len()
        || batch.columns.len() != attributes.len()
        || batch.qualification_times_us.len() != records
        || !(batch.changes.is_empty() || batch.changes.len() == records);
    if uneven {
        return Err(Error::local(
            Code::Internal,
            "the server sent members in columns that do not fit what was asked for",
        ));
    }
    let mut members: VecDeque<Member> = (0..records)
        .map(|index| Member {
            profile: batch.profiles[index],
            identities: BTreeMap::new(),
            attributes: BTreeMap::new(),
            qualification_time: Timestamp(batch.qualification_times_us[index]),
            change: Change::from_wire(batch.changes.get(index).copied()),
        })
        .collect();
    for (namespace, column) in namespaces.iter().zip(batch.identities) {
        for (member, value) in members.iter_mut().zip(decode(column, records, AttributeType::String)?) {
            member.identities.extend(value.map(|value| (namespace.clone(), value.to_string())));
        }
    }
    for ((attribute, kind), column) in attributes.iter().zip(batch.columns) {
        for (member, value) in members.iter_mut().zip(decode(column, records, *kind)?) {
            member.attributes.extend(value.map(|value| (attribute.clone(), value)));
        }
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::Column;

    fn batch() -> Batch {
        Batch {
            records: 2,
            profiles: vec![7, 8],
            identities: vec![Column { texts: vec![b"a".to_vec()], presence: vec![2, 0], ..Column::default() }],
            columns: vec![Column { integers: vec![5], presence: vec![0, 2], ..Column::default() }],
            qualification_times_us: vec![1, 2],
            changes: vec![WireChange::Entered as i32, WireChange::Exited as i32],
        }
    }

    #[test]
    fn columns_become_members() {
        let attributes = [("visits".to_owned(), AttributeType::Int64)];
        let members = read(batch(), &["external_id".to_owned()], &attributes).expect("the columns fit");
        let first = Member {
            profile: 7,
            identities: BTreeMap::from([("external_id".to_owned(), "a".to_owned())]),
            attributes: BTreeMap::new(),
            qualification_time: Timestamp(1),
            change: Change::Entered,
        };
        let second = Member {
            profile: 8,
            identities: BTreeMap::new(),
            attributes: BTreeMap::from([("visits".to_owned(), Value::Integer(5))]),
            qualification_time: Timestamp(2),
            change: Change::Exited,
        };
        assert_eq!(members, [first, second]);
    }

    #[test]
    fn columns_that_do_not_fit_are_an_error() {
        let error = read(batch(), &["external_id".to_owned()], &[]).expect_err("a column is too many");
        assert_eq!(error.code(), Some(Code::Internal));
    }

    #[test]
    fn reasons_have_names() {
        assert_eq!(exclusion_name(ExclusionReason::OptedOut as i32), "OPTED_OUT");
        assert_eq!(exclusion_name(99), "99");
        assert_eq!(Change::from_wire(None).to_string(), "MEMBER");
        assert_eq!(Change::from_wire(Some(99)).to_string(), "99");
    }
}
