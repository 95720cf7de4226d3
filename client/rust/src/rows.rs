//! Rows on their way in: what one is, where they come from, and those that may have to be sent again.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;

use futures_core::Stream;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::error::Result;
use crate::value::{Timestamp, Value};

/// One record. A field that it does not have is left alone; [`Value::Null`] is null.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// By namespace. Bytes, because what is not UTF-8 is for the server to refuse, row by row.
    pub identities: BTreeMap<String, Vec<u8>>,
    /// By the caller's name of the field.
    pub fields: BTreeMap<String, Value>,
    /// When the attributes became so.
    pub event_time: Option<Timestamp>,
    /// The caller's own key of the record, told again with its outcome; empty: none.
    pub record_key: Vec<u8>,
    /// Of a push: the audience's source_id; may be left empty when the stream has one.
    pub audience: String,
    /// Of a push: the profile left the audience.
    pub exited: bool,
    /// Of a push: since when.
    pub qualification_time: Option<Timestamp>,
}

impl Row {
    /// A row without anything.
    pub fn new() -> Row {
        Row::default()
    }

    /// With one identity more.
    pub fn identity(mut self, namespace: impl Into<String>, value: impl Into<Vec<u8>>) -> Row {
        self.identities.insert(namespace.into(), value.into());
        self
    }

    /// With one field more.
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Row {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// With the time of its attributes.
    pub fn at(mut self, event_time: impl Into<Timestamp>) -> Row {
        self.event_time = Some(event_time.into());
        self
    }

    /// With the caller's own key.
    pub fn key(mut self, record_key: impl Into<Vec<u8>>) -> Row {
        self.record_key = record_key.into();
        self
    }

    /// Of this audience, by its source_id.
    pub fn of(mut self, audience: impl Into<String>) -> Row {
        self.audience = audience.into();
        self
    }

    /// Who left the audience.
    pub fn exited(mut self) -> Row {
        self.exited = true;
        self
    }

    /// In or out of the audience since then.
    pub fn since(mut self, qualification_time: impl Into<Timestamp>) -> Row {
        self.qualification_time = Some(qualification_time.into());
        self
    }
}

type RowStream<'a, R> = Pin<Box<dyn Stream<Item = Result<R>> + Send + 'a>>;

/// Where rows come from: anything that iterates (its first rows are passed over when the stream already has them), or
/// [`Source::starting_at`]. Must give the same rows in the same order every time the ingest is run.
pub struct Source<'a, R>(Box<dyn FnOnce(i64) -> Start<'a, R> + Send + 'a>);

/// Rows, and how many of them are to be passed over.
struct Start<'a, R> {
    rows: RowStream<'a, R>,
    pass_over: i64,
}

impl<'a, R: Send + 'a> Source<'a, R> {
    /// Rows by a function that is given the offset of the first one wanted.
    pub fn starting_at<I>(begin: impl FnOnce(i64) -> I + Send + 'a) -> Source<'a, R>
    where
        I: IntoIterator<Item = R>,
        I::IntoIter: Send + 'a,
    {
        Source(Box::new(move |offset| Start { rows: stream::iter(begin(offset)).map(Ok).boxed(), pass_over: 0 }))
    }

    /// Rows that are waited for, for example from a channel.
    pub fn from_stream(rows: impl Stream<Item = R> + Send + 'a) -> Source<'a, R> {
        Source::try_from_stream(rows.map(Ok))
    }

    /// Rows whose reading may fail, for example from a database or from another export. An error ends the ingest with that
    /// error, and the stream is not finished: what was read before it is not taken for the whole. One that is not of this
    /// crate goes into an [`Error::InvalidUse`](crate::Error::InvalidUse).
    pub fn try_from_stream(rows: impl Stream<Item = Result<R>> + Send + 'a) -> Source<'a, R> {
        Source(Box::new(move |offset| Start { rows: rows.boxed(), pass_over: offset }))
    }

    /// The same rows as another type.
    pub(crate) fn into_rows_of<T: Send + 'a>(self) -> Source<'a, T>
    where
        R: Into<T>,
    {
        Source(Box::new(move |offset| {
            let Start { rows, pass_over } = self.0(offset);
            Start { rows: rows.map_ok(Into::into).boxed(), pass_over }
        }))
    }
}

impl<'a, R, I> From<I> for Source<'a, R>
where
    R: Send + 'a,
    I: IntoIterator<Item = R> + Send + 'a,
    I::IntoIter: Send + 'a,
{
    fn from(rows: I) -> Source<'a, R> {
        Source(Box::new(move |offset| Start { rows: stream::iter(rows).map(Ok).boxed(), pass_over: offset }))
    }
}

impl<R> fmt::Debug for Source<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

/// Rows from an offset on, with those not acknowledged yet kept for sending again.
pub(crate) struct Rows<'a, R> {
    source: Option<Source<'a, R>>,
    rows: RowStream<'a, R>,
    kept: VecDeque<R>,
    /// Offset of the first kept row.
    start: i64,
    /// Offset of the next row to give.
    next: i64,
    ended: bool,
    failed: bool,
}

impl<'a, R: Send + 'a> Rows<'a, R> {
    pub(crate) fn new(source: Source<'a, R>) -> Rows<'a, R> {
        Rows {
            source: Some(source),
            rows: stream::empty().boxed(),
            kept: VecDeque::new(),
            start: 0,
            next: 0,
            ended: false,
            failed: false,
        }
    }

    /// Gives rows from `offset` on next. Fails if the source does.
    pub(crate) async fn seek(&mut self, offset: i64) -> Result<()> {
        if let Some(source) = self.source.take() {
            let Start { rows, pass_over } = source.0(offset);
            self.rows = rows;
            self.start = offset - pass_over;
            while self.start < offset && self.read().await?.is_some() {
                self.start += 1;
            }
        }
        self.forget(offset);
        self.next = offset;
        Ok(())
    }

    async fn read(&mut self) -> Result<Option<R>> {
        let row = self.rows.next().await.transpose();
        self.failed = self.failed || row.is_err();
        row
    }

    /// True once the source itself has failed. It gives nothing more, which is not its end.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// The offset after the last row read so far.
    pub(crate) fn end(&self) -> i64 {
        self.start + self.kept.len() as i64
    }

    /// The offset of the next rows, and at most `limit` of them. Fails if the source does.
    pub(crate) async fn take(&mut self, limit: usize) -> Result<(i64, Vec<&R>)> {
        let first = self.next;
        while self.end() < first + limit as i64 && !self.ended {
            match self.read().await? {
                Some(row) => self.kept.push_back(row),
                None => self.ended = true,
            }
        }
        let Ok(index) = usize::try_from(first - self.start) else { return Ok((first, Vec::new())) };
        let rows: Vec<&R> = self.kept.iter().skip(index).take(limit).collect();
        self.next = first + rows.len() as i64;
        Ok((first, rows))
    }

    /// Gives the rows from `offset` on once more, though nothing failed.
    pub(crate) fn back_to(&mut self, offset: i64) {
        self.next = offset;
    }

    /// Rows before `offset` are durable.
    pub(crate) fn forget(&mut self, offset: i64) {
        while self.start < offset && self.kept.pop_front().is_some() {
            self.start += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    async fn taken(rows: &mut Rows<'_, i64>, limit: usize) -> (i64, Vec<i64>) {
        let (first, taken) = rows.take(limit).await.expect("the source does not fail");
        (first, taken.into_iter().copied().collect())
    }

    #[tokio::test]
    async fn rows_are_given_in_order_and_again_after_a_seek() {
        let mut rows = Rows::new(Source::from(0..5));
        rows.seek(0).await.expect("the source does not fail");
        assert_eq!(taken(&mut rows, 2).await, (0, vec![0, 1]));
        assert_eq!(taken(&mut rows, 2).await, (2, vec![2, 3]));
        rows.forget(1);
        rows.seek(1).await.expect("the source does not fail");
        assert_eq!(taken(&mut rows, 10).await, (1, vec![1, 2, 3, 4]));
        assert_eq!(taken(&mut rows, 10).await, (5, vec![]));
        assert_eq!(rows.end(), 5);
    }

    #[tokio::test]
    async fn rows_the_server_has_are_passed_over() {
        let mut rows = Rows::new(Source::from(vec![0, 1, 2, 3]));
        rows.seek(3).await.expect("the source does not fail");
        assert_eq!(taken(&mut rows, 10).await, (3, vec![3]));
        assert_eq!(rows.end(), 4);
    }

    #[tokio::test]
    async fn a_source_shorter_than_the_stream_tells_how_long_it_is() {
        let mut rows = Rows::new(Source::from(vec![0, 1]));
        rows.seek(5).await.expect("the source does not fail");
        assert_eq!(taken(&mut rows, 10).await, (5, vec![]));
        assert_eq!(rows.end(), 2);
    }

    #[tokio::test]
    async fn a_function_starts_where_it_is_asked_to() {
        let mut rows = Rows::new(Source::starting_at(|offset| offset..offset + 2));
        rows.seek(7).await.expect("the source does not fail");
        assert_eq!(taken(&mut rows, 10).await, (7, vec![7, 8]));
        assert_eq!(rows.end(), 9);
    }

    #[tokio::test]
    async fn rows_may_be_waited_for() {
        let mut rows = Rows::new(Source::from_stream(stream::iter(0..3)));
        rows.seek(1).await.expect("the source does not fail");
        assert_eq!(taken(&mut rows, 10).await, (1, vec![1, 2]));
    }

    #[tokio::test]
    async fn a_source_that_fails_is_not_at_its_end() {
        let failing = || stream::iter([Ok(0), Err(Error::invalid("the file is broken"))]);
        for offset in 0..3 {
            let mut rows = Rows::new(Source::try_from_stream(failing()));
            let sought = rows.seek(offset).await;
            let failed = match sought {
                Ok(()) => rows.take(10).await.map(|_| ()),
                failed => failed,
            };
            assert_eq!(failed.expect_err("it fails").to_string(), "the file is broken", "from {offset}");
            assert!(rows.failed());
        }
    }

    #[tokio::test]
    async fn a_position_before_what_is_kept_gives_nothing() {
        let mut rows = Rows::new(Source::from(0..5));
        rows.seek(3).await.expect("the source does not fail");
        rows.seek(1).await.expect("the source does not fail");
        assert_eq!(taken(&mut rows, 10).await, (1, vec![]));
        assert_eq!(rows.end(), 5);
    }
}
