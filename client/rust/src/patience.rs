//! How long and how often a loop tries again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::Code;

use crate::error::{Error, Result};

/// How long the loops try without progress, unless they are told otherwise.
pub(crate) const RETRY_FOR: Duration = Duration::from_secs(60);
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(3);

/// Of one loop: gives up when tries have failed for `retry_for` and nothing got on. However long a connection was
/// silent before it failed, there is another try.
#[derive(Debug)]
pub(crate) struct Patience {
    retry_for: Duration,
    failing_since: Option<Instant>,
    delay: Duration,
}

impl Patience {
    pub(crate) fn new(retry_for: Duration) -> Patience {
        Patience { retry_for, failing_since: None, delay: FIRST_DELAY }
    }

    /// Something got on: the next failure counts as the first, and the wait after it is short.
    pub(crate) fn progressed(&mut self) {
        self.failing_since = None;
        self.delay = FIRST_DELAY;
    }

    /// Waits before the next try, at least as long as the server asks; gives the error back if there is to be none, or
    /// none before `deadline`.
    pub(crate) async fn wait(&mut self, error: Error, repeatable: bool, deadline: Option<Instant>) -> Result<()> {
        let delay = self.delay_after(&error, repeatable, deadline).ok_or(error)?;
        sleep(delay).await;
        Ok(())
    }

    fn delay_after(&mut self, error: &Error, repeatable: bool, deadline: Option<Instant>) -> Option<Duration> {
        let call = error.call()?;
        // A call that the server's end cut off arrives as cancelled; the loops cancel only what is over.
        let passing = call.retryable() || call.code == Code::Cancelled;
        let now = Instant::now();
        let failing_since = *self.failing_since.get_or_insert(now);
        let delay = self.delay.max(call.retry_delay.unwrap_or_default()).mul_f64(jitter(1.0, 1.25));
        let in_time = deadline.is_none_or(|deadline| now + delay < deadline);
        if !(passing && repeatable && in_time && now - failing_since < self.retry_for) {
            return None;
        }
        self.delay = (self.delay * 2).min(LONGEST_DELAY);
        Some(delay)
    }
}

/// What a loop reads before it begins: it waits for the server as the loop itself does.
pub(crate) async fn patiently<T, F>(retry_for: Duration, read: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut patience = Patience::new(retry_for);
    loop {
        match read().await {
            Ok(answer) => return Ok(answer),
            Err(error) => patience.wait(error, true, None).await?,
        }
    }
}

/// A random factor, so that many clients do not come again at once. The standard library's hash keys are random.
pub(crate) fn jitter(least: f64, most: f64) -> f64 {
    let random = RandomState::new().build_hasher().finish();
    least + (most - least) * (random as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Error {
        Error::local(Code::Unavailable, "away")
    }

    #[test]
    fn waits_grow_up_to_the_longest_and_are_short_again_after_progress() {
        let mut patience = Patience::new(RETRY_FOR);
        let mut waited = Vec::new();
        for _ in 0..8 {
            waited.push(patience.delay_after(&away(), true, None).expect("there is another try"));
        }
        assert!(waited[0] >= FIRST_DELAY && waited[0] <= FIRST_DELAY.mul_f64(1.25), "{waited:?}");
        assert!(waited[7] >= LONGEST_DELAY && waited[7] <= LONGEST_DELAY.mul_f64(1.25), "{waited:?}");
        patience.progressed();
        assert!(patience.delay_after(&away(), true, None).expect("another try") <= FIRST_DELAY.mul_f64(1.25));
    }

    #[test]
    fn the_server_may_ask_for_more() {
        let mut error = away();
        if let Error::Call(call) = &mut error {
            call.retry_delay = Some(Duration::from_secs(5));
        }
        assert!(
            Patience::new(RETRY_FOR).delay_after(&error, true, None).expect("another try") >= Duration::from_secs(5)
        );
    }

    #[test]
    fn there_is_no_other_try_where_it_cannot_help() {
        let tries = |error: &Error, retry_for, repeatable, deadline| {
            Patience::new(retry_for).delay_after(error, repeatable, deadline).is_some()
        };
        assert!(tries(&away(), RETRY_FOR, true, None));
        assert!(!tries(&Error::local(Code::NotFound, ""), RETRY_FOR, true, None));
        assert!(!tries(&Error::invalid("a bad row"), RETRY_FOR, true, None));
        assert!(!tries(&away(), RETRY_FOR, false, None));
        assert!(!tries(&away(), Duration::ZERO, true, None));
        assert!(!tries(&away(), RETRY_FOR, true, Some(Instant::now() + Duration::from_millis(50))));
    }

    #[test]
    fn jitter_stays_within_its_bounds_and_differs() {
        let drawn: Vec<f64> = (0..100).map(|_| jitter(1.0, 1.25)).collect();
        assert!(drawn.iter().all(|factor| (1.0..=1.25).contains(factor)), "{drawn:?}");
        assert!(drawn.iter().any(|factor| *factor != drawn[0]));
    }
}
