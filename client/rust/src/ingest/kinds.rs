//! The four ingests: what differs between them.

use std::time::Duration;

use futures_core::Stream;
use prost::Message;
use tonic::{Response, Status, Streaming};

use super::{Answer, Ingest};
use crate::client::Client;
use crate::encoding::{Layout, audience_indexes, statuses, times};
use crate::error::Result;
use crate::rows::Row;
use crate::v1::{self, StreamOptions};
use crate::value::Timestamp;

/// What differs between the four ingests. Not for others to implement.
#[allow(private_interfaces)]
pub trait IngestKind: Sized + Send {
    /// One row.
    type Record: Send + Sync + 'static;
    #[doc(hidden)]
    type Request: Message + 'static;
    #[doc(hidden)]
    type Response: Message + Default + 'static;
    #[doc(hidden)]
    fn prepare(&mut self, client: &Client, retry_for: Duration) -> impl Future<Output = Result<()>> + Send;
    #[doc(hidden)]
    fn opening(&self, stream: StreamOptions) -> Self::Request;
    #[doc(hidden)]
    fn batch(&self, offset: i64, rows: &[&Self::Record]) -> Result<Self::Request>;
    #[doc(hidden)]
    fn finish(total_records: i64) -> Self::Request;
    #[doc(hidden)]
    fn call(
        client: &Client,
        requests: impl Stream<Item = Self::Request> + Send + 'static,
    ) -> impl Future<Output = std::result::Result<Response<Streaming<Self::Response>>, Status>> + Send;
    #[doc(hidden)]
    fn answer(response: Self::Response) -> Option<Answer>;
}

/// An ingest of [`Row`]s. Not for others to implement.
#[allow(private_interfaces)]
pub trait TabularKind: IngestKind<Record = Row> {
    #[doc(hidden)]
    fn layout(&mut self) -> &mut Layout;
}

/// Import: creates profiles or updates them.
#[derive(Debug)]
pub struct ImportProfiles {
    parent: String,
    layout: Layout,
}

/// Sync through a PROFILE_SYNC destination: updates profiles that exist.
#[derive(Debug)]
pub struct SyncProfiles {
    destination: String,
    layout: Layout,
}

/// Push through an AUDIENCE_SYNC destination: memberships, or a whole audience.
#[derive(Debug)]
pub struct PushMembers {
    destination: String,
    layout: Layout,
    audiences: Vec<String>,
    replace: Option<v1::push_members_request::Replace>,
}

/// Append: rows of the delivery and tracking logs.
#[derive(Debug)]
pub struct AppendLogs {
    parent: String,
}

impl ImportProfiles {
    pub(crate) fn new(parent: &str) -> ImportProfiles {
        ImportProfiles { parent: parent.to_owned(), layout: Layout::default() }
    }
}

impl SyncProfiles {
    pub(crate) fn new(destination: String) -> SyncProfiles {
        SyncProfiles { destination, layout: Layout::default() }
    }
}

impl PushMembers {
    pub(crate) fn new(destination: String) -> PushMembers {
        PushMembers { destination, layout: Layout::default(), audiences: Vec::new(), replace: None }
    }
}

impl AppendLogs {
    pub(crate) fn new(parent: &str) -> AppendLogs {
        AppendLogs { parent: parent.to_owned() }
    }
}

impl<K: TabularKind> Ingest<'_, K> {
    /// Ids of the namespaces that rows may have identities of. Required.
    pub fn identities<I: Into<String>>(mut self, namespaces: impl IntoIterator<Item = I>) -> Self {
        self.kind.layout().identities = namespaces.into_iter().map(Into::into).collect();
        self
    }

    /// The fields that rows may have: attribute ids of an import, the destination's source fields otherwise.
    pub fn fields<I: Into<String>>(mut self, fields: impl IntoIterator<Item = I>) -> Self {
        let unresolved = |name: I| (name.into(), v1::AttributeType::String);
        self.kind.layout().fields = fields.into_iter().map(unresolved).collect();
        self
    }
}

impl Ingest<'_, PushMembers> {
    /// source_ids of the audiences that rows may name. Required.
    pub fn audiences<I: Into<String>>(mut self, audiences: impl IntoIterator<Item = I>) -> Self {
        self.kind.audiences = audiences.into_iter().map(Into::into).collect();
        self
    }

    /// The rows are the whole of the one audience, published at the end. Needs a stream name.
    pub fn replace(mut self) -> Self {
        self.kind.replace.get_or_insert_default();
        self
    }

    /// Of a replace: the moment that the rows are true for; when the stream is made, unless set.
    pub fn as_of(mut self, moment: impl Into<Timestamp>) -> Self {
        self.kind.replace.get_or_insert_default().as_of = Some(moment.into().into());
        self
    }

    /// Of a replace: publishes nothing if more than this share of the rows is refused or unknown; 1 unless set.
    pub fn max_refused_percent(mut self, percent: f64) -> Self {
        self.kind.replace.get_or_insert_default().max_refused_percent = Some(percent);
        self
    }
}

/// What the messages of all kinds have in common.
macro_rules! messages {
    ($module:ident, $response:ident, $request:ident, $answer:ident, $stub:ident, $function:ident) => {
        type Request = v1::$request;
        type Response = v1::$answer;

        fn finish(total_records: i64) -> Self::Request {
            let finish = v1::IngestFinish { total_records };
            v1::$request { message: Some(v1::$module::Message::Finish(finish)) }
        }

        async fn call(
            client: &Client,
            requests: impl Stream<Item = Self::Request> + Send + 'static,
        ) -> std::result::Result<Response<Streaming<Self::Response>>, Status> {
            client.$stub().$function(requests).await
        }

        fn answer(response: Self::Response) -> Option<Answer> {
            Some(match response.message? {
                v1::$response::Message::Opened(opened) => Answer::Opened(opened),
                v1::$response::Message::Ack(ack) => Answer::Ack(ack),
                v1::$response::Message::Finished(finished) => Answer::Finished(finished),
            })
        }
    };
}

/// A batch of rows, with the columns that all of them have.
macro_rules! record_batch {
    ($batch:ident, $layout:expr, $offset:ident, $rows:ident) => {{
        let columns = $layout.encode($offset, $rows)?;
        $batch {
            offset: $offset,
            records: $rows.len() as i32,
            identities: columns.identities,
            columns: columns.columns,
            event_times: columns.event_times,
            record_keys: columns.record_keys,
            ..$batch::default()
        }
    }};
}

impl IngestKind for ImportProfiles {
    type Record = Row;
    messages!(
        import_profiles_request,
        import_profiles_response,
        ImportProfilesRequest,
        ImportProfilesResponse,
        profile_service,
        import_profiles
    );

    async fn prepare(&mut self, client: &Client, retry_for: Duration) -> Result<()> {
        client.resolve_attributes(&mut self.layout.fields, retry_for).await
    }

    fn opening(&self, stream: StreamOptions) -> Self::Request {
        use v1::import_profiles_request::{Message, Open};
        let open = Open {
            parent: self.parent.clone(),
            stream: Some(stream),
            identity_namespaces: self.layout.identities.clone(),
            fields: self.layout.names(),
        };
        v1::ImportProfilesRequest { message: Some(Message::Open(open)) }
    }

    fn batch(&self, offset: i64, rows: &[&Row]) -> Result<Self::Request> {
        use v1::import_profiles_request::{Batch, Message};
        let batch = record_batch!(Batch, self.layout, offset, rows);
        Ok(v1::ImportProfilesRequest { message: Some(Message::Batch(batch)) })
    }
}

impl IngestKind for SyncProfiles {
    type Record = Row;
    messages!(
        sync_profiles_request,
        sync_profiles_response,
        SyncProfilesRequest,
        SyncProfilesResponse,
        profile_sync_service,
        sync_profiles
    );

    async fn prepare(&mut self, client: &Client, retry_for: Duration) -> Result<()> {
        client.resolve_mappings(&self.destination, &mut self.layout.fields, retry_for).await
    }

    fn opening(&self, stream: StreamOptions) -> Self::Request {
        use v1::sync_profiles_request::{Message, Open};
        let open = Open {
            destination: self.destination.clone(),
            stream: Some(stream),
            identity_namespaces: self.layout.identities.clone(),
            fields: self.layout.names(),
        };
        v1::SyncProfilesRequest { message: Some(Message::Open(open)) }
    }

    fn batch(&self, offset: i64, rows: &[&Row]) -> Result<Self::Request> {
        use v1::sync_profiles_request::{Batch, Message};
        let batch = record_batch!(Batch, self.layout, offset, rows);
        Ok(v1::SyncProfilesRequest { message: Some(Message::Batch(batch)) })
    }
}

impl IngestKind for PushMembers {
    type Record = Row;
    messages!(
        push_members_request,
        push_members_response,
        PushMembersRequest,
        PushMembersResponse,
        audience_sync_service,
        push_members
    );

    async fn prepare(&mut self, client: &Client, retry_for: Duration) -> Result<()> {
        client.resolve_mappings(&self.destination, &mut self.layout.fields, retry_for).await
    }

    fn opening(&self, stream: StreamOptions) -> Self::Request {
        use v1::push_members_request::{Message, Open};
        let open = Open {
            destination: self.destination.clone(),
            stream: Some(stream),
            identity_namespaces: self.layout.identities.clone(),
            fields: self.layout.names(),
            audiences: self.audiences.clone(),
            replace: self.replace,
        };
        v1::PushMembersRequest { message: Some(Message::Open(open)) }
    }

    fn batch(&self, offset: i64, rows: &[&Row]) -> Result<Self::Request> {
        use v1::push_members_request::{Batch, Message};
        let columns = record_batch!(Batch, self.layout, offset, rows);
        let batch = Batch {
            audience_indexes: audience_indexes(offset, rows, &self.audiences)?,
            statuses: statuses(rows),
            qualification_times: times(rows, |row| row.qualification_time),
            ..columns
        };
        Ok(v1::PushMembersRequest { message: Some(Message::Batch(batch)) })
    }
}

impl IngestKind for AppendLogs {
    type Record = v1::RawLogEntry;
    messages!(
        append_logs_request,
        append_logs_response,
        AppendLogsRequest,
        AppendLogsResponse,
        log_service,
        append_logs
    );

    async fn prepare(&mut self, _: &Client, _: Duration) -> Result<()> {
        Ok(())
    }

    fn opening(&self, stream: StreamOptions) -> Self::Request {
        use v1::append_logs_request::{Message, Open};
        let open = Open { parent: self.parent.clone(), stream: Some(stream) };
        v1::AppendLogsRequest { message: Some(Message::Open(open)) }
    }

    fn batch(&self, offset: i64, rows: &[&v1::RawLogEntry]) -> Result<Self::Request> {
        use v1::append_logs_request::{Batch, Message};
        let rows = rows.iter().map(|row| (*row).clone()).collect();
        let batch = Batch { offset, rows, ..Batch::default() };
        Ok(v1::AppendLogsRequest { message: Some(Message::Batch(batch)) })
    }
}

macro_rules! tabular {
    ($($kind:ty),*) => {
        $(#[allow(private_interfaces)]
        impl TabularKind for $kind {
            fn layout(&mut self) -> &mut Layout {
                &mut self.layout
            }
        })*
    };
}

tabular!(ImportProfiles, SyncProfiles, PushMembers);

impl Layout {
    fn names(&self) -> Vec<String> {
        self.fields.iter().map(|(name, _)| name.clone()).collect()
    }
}

/// The same on the wire, with texts as bytes.
impl From<v1::LogEntry> for v1::RawLogEntry {
    fn from(entry: v1::LogEntry) -> v1::RawLogEntry {
        v1::RawLogEntry {
            kind: entry.kind,
            delivery: entry.delivery.into_bytes(),
            broadlog_id: entry.broadlog_id,
            tracking_log_id: entry.tracking_log_id,
            event_time_us: entry.event_time_us,
            identity_namespace: entry.identity_namespace.into_bytes(),
            identity: entry.identity.into_bytes(),
            status: entry.status,
            failure_type: entry.failure_type,
            failure_reason: entry.failure_reason,
            reason_message: entry.reason_message.into_bytes(),
            quarantine: entry.quarantine,
            control_group: entry.control_group,
            seed: entry.seed,
            proof: entry.proof,
            tracking_kind: entry.tracking_kind,
            url: entry.url.into_bytes(),
            url_category: entry.url_category.into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_entry_is_the_same_on_the_wire_raw_or_not() {
        let entry = v1::LogEntry {
            kind: v1::LogKind::Tracking as i32,
            delivery: "spring".into(),
            broadlog_id: 1,
            tracking_log_id: 2,
            event_time_us: 3,
            identity_namespace: "external_id".into(),
            identity: "é".into(),
            status: 1,
            failure_type: 2,
            failure_reason: 3,
            reason_message: "m".into(),
            quarantine: true,
            control_group: true,
            seed: true,
            proof: true,
            tracking_kind: 4,
            url: "u".into(),
            url_category: "c".into(),
            ..v1::LogEntry::default()
        };
        assert_eq!(v1::RawLogEntry::from(entry.clone()).encode_to_vec(), entry.encode_to_vec());
    }
}
