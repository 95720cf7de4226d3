//! Streams of what comes in, for those who use futures' combinators and for those who do not.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::TryStreamExt;

use crate::error::Result;

/// What a list or an export gives, one by one. It ends after the first error. Dropping it cancels its call.
#[must_use = "nothing is asked for until the first item is"]
pub struct Items<T>(Pin<Box<dyn Stream<Item = Result<T>> + Send>>);

impl<T: 'static> Items<T> {
    pub(crate) fn new(stream: impl Stream<Item = Result<T>> + Send + 'static) -> Items<T> {
        Items(Box::pin(stream))
    }

    /// The next one; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<T>> {
        std::future::poll_fn(|context| self.0.as_mut().poll_next(context)).await
    }

    /// All that are left, or the first error.
    pub async fn collect(self) -> Result<Vec<T>> {
        self.0.try_collect().await
    }
}

impl<T> Stream for Items<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}
