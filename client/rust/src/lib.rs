//! Client of Passerelle: audiences in, attributes in step, logs back, nothing lost, nothing doubled.
//!
//! ```no_run
//! use passerelle::Row;
//!
//! # async fn run() -> passerelle::Result<()> {
//! let client = passerelle::connect("127.0.0.1:7701")?;
//! client.create_attribute("city", passerelle::AttributeType::String, None).await?;
//! let people = vec![
//!     Row::new().identity("external_id", "1").field("city", "Paris"),
//!     Row::new().identity("external_id", "2").field("city", None::<String>),
//! ];
//! let result =
//!     client.import_profiles(people).identities(["external_id"]).fields(["city"]).stream("people").await?;
//! println!("{:?}", result.counts); // {"CREATED": 2}; run it again: nothing is received
//! # Ok(())
//! # }
//! ```
//!
//! The generated messages and stubs are in [`v1`]; their comments are the manual. Any unary method is called with its
//! request: `client.call(v1::GetAudienceRequest { .. })`, any list with [`Client::pages`].
//!
//! Everything here runs on tokio. A future or stream that is dropped cancels its call.

#![warn(missing_docs)]

mod builder;
mod client;
mod columns;
mod encoding;
mod error;
mod export;
mod fields;
mod ingest;
mod items;
mod members;
mod methods;
mod patience;
mod rows;
mod target;
pub mod test_server;
mod transport;
mod value;

/// The generated messages and stubs of the API, version 1.
pub mod v1 {
    #![allow(missing_docs, clippy::all, rustdoc::all)]
    include!(concat!(env!("OUT_DIR"), "/passerelle.v1.rs"));
}

pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{CallError, Error, FieldViolation, Result, code_name};
pub use export::{ExportLogs, LogBatch, Record};
pub use ingest::{
    AppendLogs, ImportProfiles, Ingest, IngestKind, IngestResult, PushMembers, SyncProfiles, TabularKind, outcome_name,
};
pub use items::Items;
pub use members::{Change, Member, MemberStream, StreamMembers};
pub use methods::{Paged, RetryPolicy, Unary};
pub use rows::{Row, Source};
pub use tonic::Code;
pub use transport::Transport;
pub use v1::AttributeType;
pub use value::{Date, Timestamp, Value};

/// The descriptors of the protos this client was generated from, as a serialised `FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));

/// The largest message that is taken from the server.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// A client of the server at `address`, for example `127.0.0.1:7701` or `unix:/run/passerelle.sock`, without key and
/// TLS. Nothing is read from the environment. Connecting is left to the first call. Must be called within tokio.
pub fn connect(address: &str) -> Result<Client> {
    Client::at(address).connect()
}
