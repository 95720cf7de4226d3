//! The loop nobody should write alone: a durable ingest that goes on wherever it was broken off.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use futures_util::stream;
use prost::Message;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tonic::{Code, Streaming};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::patience::{Patience, RETRY_FOR};
use crate::rows::{Rows, Source};
use crate::v1::{IngestAck, IngestFinished, Outcome, RowOutcome, StreamOpened, StreamOptions};

mod kinds;
pub use kinds::{AppendLogs, ImportProfiles, IngestKind, PushMembers, SyncProfiles, TabularKind};

const BATCH_RECORDS: usize = 2_000;
/// Batches that the server reads before it acknowledges one.
const WINDOW_BATCHES: usize = 4;
/// A batch of more is cut in smaller ones; the server's own limit is 4 MiB unless it is set otherwise.
const BATCH_BYTES: usize = 1024 * 1024;

/// What became of one run. The sum of `counts` is `received`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IngestResult {
    /// Records accepted over the stream's life.
    pub total_records: i64,
    /// Records that were new and got an outcome in this run.
    pub received: i64,
    /// Records that this run sent though the server had them.
    pub already_known: i64,
    /// How often the stream was opened again after a failure.
    pub reconnects: u32,
    /// Outcomes of this run by name, for example `CREATED`.
    pub counts: BTreeMap<String, i64>,
    /// Outcomes over the stream's life; their sum is `total_records`.
    pub totals: BTreeMap<String, i64>,
    /// The rows that did not simply apply, unless `on_row` takes them.
    pub rows: Vec<RowOutcome>,
    /// Hand this to a read to see at least these records.
    pub commit_token: String,
}

/// The name of an outcome without its prefix, for example `CREATED`; its number, if this client does not know it.
pub fn outcome_name(outcome: i32) -> String {
    match Outcome::try_from(outcome) {
        Ok(known) => known.as_str_name().trim_start_matches("OUTCOME_").to_owned(),
        Err(_) => outcome.to_string(),
    }
}

/// An ingest that begins when it is awaited. With a stream name it is durable: the server knows how many rows it has, a
/// run that was broken off goes on there, and one that was finished does nothing; while the server is away or busy it
/// waits and reconnects. Dropping it in mid-way leaves what was acknowledged, and the same run goes on after that.
#[must_use = "an ingest does nothing until it is awaited"]
pub struct Ingest<'a, K: IngestKind> {
    client: Client,
    kind: K,
    source: Source<'a, K::Record>,
    options: Options<'a>,
}

struct Options<'a> {
    stream: String,
    batch_records: usize,
    retry_for: Duration,
    on_progress: Option<Box<dyn FnMut(i64) + Send + 'a>>,
    on_row: Option<Box<dyn FnMut(RowOutcome) + Send + 'a>>,
}

impl<'a, K: IngestKind> Ingest<'a, K> {
    pub(crate) fn new(client: Client, kind: K, source: Source<'a, K::Record>) -> Ingest<'a, K> {
        let options = Options {
            stream: String::new(),
            batch_records: BATCH_RECORDS,
            retry_for: RETRY_FOR,
            on_progress: None,
            on_row: None,
        };
        Ingest { client, kind, source, options }
    }

    /// The durable stream's id. Without one the call is at-least-once and is not repeated after a failure.
    pub fn stream(mut self, id: impl Into<String>) -> Self {
        self.options.stream = id.into();
        self
    }

    /// At most this many records a batch: 2,000 unless set, less if the server takes less or records are large.
    pub fn batch_records(mut self, records: usize) -> Self {
        self.options.batch_records = records.max(1);
        self
    }

    /// Gives up when there was no progress for this long: a minute unless set. Until then a named stream is opened again
    /// while the server is away or busy, when its destination was changed in mid-stream, and when it ended too early.
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.options.retry_for = time;
        self
    }

    /// Is told the offset up to which rows are durable, after each acknowledgement.
    pub fn on_progress(mut self, tell: impl FnMut(i64) + Send + 'a) -> Self {
        self.options.on_progress = Some(Box::new(tell));
        self
    }

    /// Takes the rows that did not simply apply, instead of the result.
    pub fn on_row(mut self, take: impl FnMut(RowOutcome) + Send + 'a) -> Self {
        self.options.on_row = Some(Box::new(take));
        self
    }

    async fn run(mut self) -> Result<IngestResult> {
        self.kind.prepare(&self.client, self.options.retry_for).await?;
        let mut patience = Patience::new(self.options.retry_for);
        let mut run = Run {
            client: self.client,
            kind: self.kind,
            rows: Rows::new(self.source),
            options: self.options,
            result: IngestResult::default(),
            durable: 0,
        };
        loop {
            let before = run.durable;
            let Err(error) = run.once().await else { return Ok(run.result) };
            if run.rows.failed() {
                return Err(error); // no server's error, even if it looks like one: rows may come from another export
            }
            // Also by what an acknowledgement that was lost would have told.
            if run.durable > before {
                patience.progressed();
            }
            let repeatable = !run.options.stream.is_empty();
            let mapping_changed = error.reason() == "MAPPING_CHANGED";
            patience.wait(error, repeatable, None).await?;
            if mapping_changed {
                // Its fields may now be of attributes of other types.
                run.kind.prepare(&run.client, run.options.retry_for).await?;
            }
            run.result.reconnects += 1;
        }
    }
}

impl<'a, K: IngestKind + 'a> IntoFuture for Ingest<'a, K> {
    type Output = Result<IngestResult>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<K: IngestKind + fmt::Debug> fmt::Debug for Ingest<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ingest").field("kind", &self.kind).field("stream", &self.options.stream).finish_non_exhaustive()
    }
}

/// One message of the server's, of whichever kind.
pub enum Answer {
    #[doc(hidden)]
    Opened(StreamOpened),
    #[doc(hidden)]
    Ack(IngestAck),
    #[doc(hidden)]
    Finished(IngestFinished),
}

struct Run<'a, K: IngestKind> {
    client: Client,
    kind: K,
    rows: Rows<'a, K::Record>,
    options: Options<'a>,
    result: IngestResult,
    /// How far the stream was when last heard of.
    durable: i64,
}

impl<K: IngestKind> Run<'_, K> {
    /// One call, from Open to Finished.
    async fn once(&mut self) -> Result<()> {
        let options = StreamOptions { stream: self.options.stream.clone(), ..StreamOptions::default() };
        let (mut call, opened) = Call::<K>::open(&self.client, self.kind.opening(options)).await?;
        self.durable = opened.next_offset;
        self.rows.seek(self.durable).await?;
        let most = usize::try_from(opened.max_batch_records).ok().filter(|most| *most > 0).unwrap_or(usize::MAX);
        let mut limit = self.options.batch_records.min(most);
        let mut in_flight = VecDeque::new(); // ends of batches that are not acknowledged
        loop {
            let end = self.send_batch(&call, &mut limit).await?;
            in_flight.extend(end);
            while !in_flight.is_empty() && (end.is_none() || in_flight.len() >= WINDOW_BATCHES) {
                let ack = call.ack().await?;
                in_flight.retain(|end| *end > ack.next_offset);
                self.note(ack);
            }
            if end.is_none() {
                return self.finish(call).await;
            }
        }
    }

    /// Sends the next rows and returns the offset after them; `None` if there are none. Makes `limit` smaller where rows
    /// are so large that a batch would be.
    async fn send_batch(&mut self, call: &Call<K>, limit: &mut usize) -> Result<Option<i64>> {
        loop {
            let (first, rows) = self.rows.take(*limit).await?;
            if rows.is_empty() {
                return Ok(None);
            }
            let batch = self.kind.batch(first, &rows)?;
            let (records, bytes) = (rows.len(), batch.encoded_len());
            if bytes <= BATCH_BYTES || records == 1 {
                call.send(batch);
                return Ok(Some(first + records as i64));
            }
            // Somewhat below what would fit on average, so that one more cut is seldom needed.
            *limit = (records * BATCH_BYTES / bytes * 3 / 4).max(1);
            self.rows.back_to(first);
        }
    }

    fn note(&mut self, ack: IngestAck) {
        self.durable = self.durable.max(ack.next_offset);
        self.rows.forget(ack.next_offset);
        let result = &mut self.result;
        result.received += ack.received;
        result.already_known += ack.already_known;
        if !ack.commit_token.is_empty() {
            result.commit_token = ack.commit_token;
        }
        for count in ack.counts.iter().filter(|count| count.rows != 0) {
            *result.counts.entry(outcome_name(count.outcome)).or_default() += count.rows;
        }
        match &mut self.options.on_row {
            Some(take) => ack.rows.into_iter().for_each(take),
            None => result.rows.extend(ack.rows),
        }
        if let Some(tell) = &mut self.options.on_progress {
            tell(ack.next_offset);
        }
    }

    async fn finish(&mut self, call: Call<K>) -> Result<()> {
        call.send(K::finish(self.rows.end()));
        let finished = call.finished().await?;
        let result = &mut self.result;
        result.total_records = finished.total_records;
        if !finished.commit_token.is_empty() {
            result.commit_token = finished.commit_token;
        }
        let counts = finished.totals.iter().filter(|count| count.rows != 0);
        result.totals = counts.map(|count| (outcome_name(count.outcome), count.rows)).collect();
        Ok(())
    }
}

/// One bidi call. Dropping it cancels.
struct Call<K: IngestKind> {
    out: UnboundedSender<K::Request>,
    responses: Streaming<K::Response>,
}

impl<K: IngestKind> Call<K> {
    async fn open(client: &Client, opening: K::Request) -> Result<(Call<K>, StreamOpened)> {
        let (out, mut incoming) = unbounded_channel();
        let requests = stream::poll_fn(move |context| incoming.poll_recv(context));
        // Before the call: the server answers nothing, not even its headers, until it has read this.
        let _ = out.send(opening);
        let response = K::call(client, requests).await?;
        let mut call = Call { out, responses: response.into_inner() };
        match call.receive().await? {
            Answer::Opened(opened) => Ok((call, opened)),
            _ => Err(unexpected()),
        }
    }

    /// Never waits: the window bounds what is under way. If the call has ended, the next answer tells why.
    fn send(&self, message: K::Request) {
        let _ = self.out.send(message);
    }

    async fn receive(&mut self) -> Result<Answer> {
        match self.responses.message().await? {
            Some(message) => K::answer(message).ok_or_else(unexpected),
            None => Err(Error::local(Code::Unavailable, "the server ended the stream without its last message")),
        }
    }

    async fn ack(&mut self) -> Result<IngestAck> {
        match self.receive().await? {
            Answer::Ack(ack) => Ok(ack),
            _ => Err(unexpected()),
        }
    }

    async fn finished(mut self) -> Result<IngestFinished> {
        let Answer::Finished(finished) = self.receive().await? else { return Err(unexpected()) };
        // All is durable and told; ended in order, the call is no cancelled one in the server's books.
        drop(self.out);
        let _ = self.responses.message().await;
        Ok(finished)
    }
}

fn unexpected() -> Error {
    Error::local(Code::Internal, "the server sent a message that this place in the stream does not have")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_have_names_and_those_of_newer_servers_numbers() {
        assert_eq!(outcome_name(Outcome::OutOfScope as i32), "OUT_OF_SCOPE");
        assert_eq!(outcome_name(99), "99");
    }
}
