//! Resumable export of log rows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream;
use tonic::{Code, Streaming};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::fields::field_of;
use crate::items::Items;
use crate::patience::{Patience, RETRY_FOR, patiently};
use crate::v1::export_logs_response::Header;
use crate::v1::{self, ExportLogsRequest, ExportLogsResponse, LogEntry, LogFilter};
use crate::value::Value;

/// What to export; [`start`](ExportLogs::start) gives the batches.
#[derive(Debug, Clone)]
#[must_use = "nothing is exported until it is started"]
pub struct ExportLogs {
    client: Client,
    source: String,
    request: ExportLogsRequest,
    retry_for: Duration,
}

impl ExportLogs {
    pub(crate) fn new(client: Client) -> ExportLogs {
        let request = ExportLogsRequest { name: client.instance().to_owned(), ..ExportLogsRequest::default() };
        ExportLogs { client, source: String::new(), request, retry_for: RETRY_FOR }
    }

    /// What this source exports, by its id, instead of an ad hoc export of the instance.
    pub fn source(mut self, id: impl Into<String>) -> Self {
        self.source = id.into();
        self.request.name = self.client.name(format!("sources/{}", self.source));
        self
    }

    /// From the acknowledged position of this consumer of the source.
    pub fn consumer(mut self, id: impl Into<String>) -> Self {
        self.request.consumer = id.into();
        self
    }

    /// From after this cursor.
    pub fn cursor(mut self, cursor: impl Into<String>) -> Self {
        self.request.cursor = cursor.into();
        self
    }

    /// Goes on as rows are appended.
    pub fn follow(mut self) -> Self {
        self.request.follow = true;
        self
    }

    /// Of an ad hoc export: these fields of [`LogEntry`].
    pub fn fields<I: Into<String>>(mut self, fields: impl IntoIterator<Item = I>) -> Self {
        self.request.fields = fields.into_iter().map(Into::into).collect();
        self
    }

    /// Of an ad hoc export: these rows.
    pub fn filter(mut self, filter: LogFilter) -> Self {
        self.request.filter = Some(filter);
        self
    }

    /// At most this many rows a batch; the server's own choice unless set.
    pub fn max_batch_rows(mut self, rows: i32) -> Self {
        self.request.max_batch_rows = rows;
        self
    }

    /// Gives up when the server could not be reached, or ended the export too early, for this long and no batch came: a
    /// minute unless set.
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }

    /// The batches, in order; reconnects from the last cursor while the server is away.
    pub fn start(self) -> Items<LogBatch> {
        let consumer = (!self.request.consumer.is_empty()).then(|| self.request.consumer.clone());
        let acknowledgements = Acknowledgements {
            client: self.client.clone(),
            source: self.source,
            consumer,
            retry_for: self.retry_for,
            position: Mutex::new(Position::default()),
        };
        let export = Export {
            client: self.client,
            request: self.request,
            patience: Patience::new(self.retry_for),
            acknowledgements: Arc::new(acknowledgements),
            header: None,
            call: None,
            end: None,
            sequence: 0,
            given: None,
        };
        Items::new(stream::try_unfold(export, |mut export| async move {
            Ok(export.next().await?.map(|batch| (batch, export)))
        }))
    }
}

/// One row, by the names that the source gives its fields.
pub type Record = BTreeMap<String, Value>;

/// Rows and the cursor after them. Store the cursor with what you did with the rows, or acknowledge it. One without rows
/// needs no acknowledging: an export by a consumer does that itself, once every batch with rows before it is
/// acknowledged and the next one is asked for.
#[derive(Clone)]
pub struct LogBatch {
    /// The rows, in sequence order.
    pub rows: Vec<LogEntry>,
    /// The position after them: everything up to it was sent or did not match.
    pub cursor: String,
    /// The sequence that the cursor stands for.
    pub sequence: i64,
    /// A sign of life: no rows matched for a while.
    pub heartbeat: bool,
    /// What the export is, and the fields that are sent.
    pub header: Arc<Header>,
    acknowledgements: Arc<Acknowledgements>,
}

impl LogBatch {
    /// Tells the consumer's position: an export by this consumer starts after these rows. Waits for a server that is away
    /// as long as the export itself would. [`Error::InvalidUse`] if the export is not by a consumer.
    pub async fn acknowledge(&self) -> Result<()> {
        self.acknowledgements.tell(self).await
    }

    /// The rows by the names that the source gives their fields: times as such, enums by name, [`Value::Null`] if unset.
    /// Fields that are newer than this client are left out.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        self.rows.iter().map(|row| {
            let fields = self.header.fields.iter();
            fields.filter_map(|field| Some((name_of(field).to_owned(), field_of(row, &field.field)?))).collect()
        })
    }
}

fn name_of(field: &v1::SourceField) -> &str {
    if field.rename.is_empty() { &field.field } else { &field.rename }
}

impl fmt::Debug for LogBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogBatch")
            .field("rows", &self.rows.len())
            .field("sequence", &self.sequence)
            .field("heartbeat", &self.heartbeat)
            .finish_non_exhaustive()
    }
}

/// How far the consumer of one export was told to be, and what was given that it may not have been told.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Position {
    told: i64,
    given: i64,
}

impl Default for Position {
    fn default() -> Position {
        Position { told: -1, given: -1 }
    }
}

impl Position {
    /// Where the export begins. What lies before a cursor of the caller's own is the caller's to acknowledge.
    fn begin(&mut self, sequence: i64, from_consumer: bool) {
        self.given = sequence;
        self.told = if from_consumer { sequence } else { -1 };
    }

    fn give(&mut self, sequence: i64, rows: usize) {
        if rows > 0 {
            self.given = sequence;
        }
    }

    fn tell(&mut self, sequence: i64) {
        self.told = self.told.max(sequence);
    }

    /// A batch without rows may be told if all rows before it are acknowledged.
    fn may_pass_over(&self, sequence: i64, rows: usize) -> bool {
        rows == 0 && self.given <= self.told && self.told < sequence
    }
}

struct Acknowledgements {
    client: Client,
    source: String,
    consumer: Option<String>,
    retry_for: Duration,
    position: Mutex<Position>,
}

impl Acknowledgements {
    fn position(&self) -> MutexGuard<'_, Position> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tell(&self, batch: &LogBatch) -> Result<()> {
        let Some(consumer) = &self.consumer else {
            return Err(Error::invalid("only an export by a source's consumer can be acknowledged"));
        };
        patiently(self.retry_for, || self.client.acknowledge(&self.source, consumer, &batch.cursor)).await?;
        self.position().tell(batch.sequence);
        Ok(())
    }

    /// Tells of a batch without rows, if all rows before it are acknowledged and the consumer is behind: sequences grow by
    /// acknowledging too.
    async fn pass_over(&self, batch: &LogBatch) -> Result<()> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        if !self.position().may_pass_over(batch.sequence, batch.rows.len()) {
            return Ok(());
        }
        let name = self.client.name(format!("sources/{}/consumers/{consumer}", self.source));
        let get = v1::GetConsumerRequest { name, ..v1::GetConsumerRequest::default() };
        if patiently(self.retry_for, || self.client.call(get.clone())).await?.lag > 0 {
            self.tell(batch).await?;
        }
        self.position().told = batch.sequence;
        Ok(())
    }
}

struct Export {
    client: Client,
    request: ExportLogsRequest,
    patience: Patience,
    acknowledgements: Arc<Acknowledgements>,
    header: Option<Arc<Header>>,
    call: Option<Streaming<ExportLogsResponse>>,
    /// Where the present call says that its end is; `None` before its header.
    end: Option<i64>,
    /// How far it is.
    sequence: i64,
    /// The batch that the caller has, if it has no rows.
    given: Option<LogBatch>,
}

impl Export {
    /// The next batch; `None` at the end.
    async fn next(&mut self) -> Result<Option<LogBatch>> {
        if let Some(given) = self.given.take() {
            self.acknowledgements.pass_over(&given).await?;
        }
        loop {
            match self.receive().await {
                Ok(None) => return Ok(None),
                Ok(Some(message)) => {
                    if let Some(batch) = self.take(message) {
                        self.given = batch.rows.is_empty().then(|| batch.clone());
                        return Ok(Some(batch));
                    }
                }
                Err(error) => {
                    self.call = None;
                    self.patience.wait(error, true, None).await?;
                }
            }
        }
    }

    async fn receive(&mut self) -> Result<Option<ExportLogsResponse>> {
        let call = match &mut self.call {
            Some(call) => call,
            None => {
                self.end = None;
                let begun = self.client.log_service().export_logs(self.request.clone()).await;
                self.call.insert(begun?.into_inner())
            }
        };
        if let Some(message) = call.message().await? {
            return Ok(Some(message));
        }
        // Without trailers nobody said that this was the end.
        let text = match call.trailers().await? {
            Some(_) if self.is_whole() => return Ok(None),
            Some(_) => "the server ended the export before its end",
            None => "the export broke off without a status",
        };
        Err(Error::local(Code::Unavailable, text))
    }

    /// A call that ended well gave all: its header says where its end is, and one that follows has none.
    fn is_whole(&self) -> bool {
        !self.request.follow && self.end.is_some_and(|end| self.sequence >= end)
    }

    /// The batch of a message; `None` of a header.
    fn take(&mut self, message: ExportLogsResponse) -> Option<LogBatch> {
        self.sequence = message.sequence;
        if let Some(header) = message.header {
            self.end = Some(header.end_sequence);
            if self.header.is_none() {
                self.acknowledgements.position().begin(message.sequence, self.request.cursor.is_empty());
            }
            self.header = Some(Arc::new(header));
            return None;
        }
        self.request.cursor = message.cursor.clone();
        self.patience.progressed();
        self.acknowledgements.position().give(message.sequence, message.rows.len());
        Some(LogBatch {
            rows: message.rows,
            cursor: message.cursor,
            sequence: message.sequence,
            heartbeat: message.heartbeat,
            header: self.header.clone().unwrap_or_default(),
            acknowledgements: Arc::clone(&self.acknowledgements),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_held_no_rows_is_passed_over_once_all_rows_are_told() {
        let mut position = Position::default();
        position.begin(10, true);
        assert!(position.may_pass_over(11, 0));
        assert!(!position.may_pass_over(11, 3), "rows are the caller's to acknowledge");
        assert!(!position.may_pass_over(10, 0), "it is told already");
        position.give(12, 3);
        assert!(!position.may_pass_over(13, 0), "rows before it are not told");
        position.tell(12);
        assert!(position.may_pass_over(13, 0));
    }

    #[test]
    fn what_lies_before_a_cursor_of_the_callers_own_is_the_callers_to_acknowledge() {
        let mut position = Position::default();
        position.begin(10, false);
        assert!(!position.may_pass_over(11, 0));
        position.tell(11);
        assert!(position.may_pass_over(12, 0));
    }

    #[test]
    fn telling_of_an_earlier_batch_takes_nothing_back() {
        let mut position = Position::default();
        position.tell(5);
        position.tell(3);
        assert_eq!(position.told, 5);
    }
}
