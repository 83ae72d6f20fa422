//! Trying again what may succeed the next time.

use std::time::{Duration, Instant};

use backon::{BackoffBuilder, BlockingRetryable, ExponentialBuilder};

/// How often what somebody else's lock or change kept from succeeding is tried again (55P03, 40P01, 40001, "tuple concurrently
/// updated").
const ATTEMPTS: usize = 5;

/// 50 ms doubled each time, and up to as much again, so that those who met do not meet again.
const AFTER_A_CONFLICT: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(50))
    .without_max_delay()
    .with_factor(2.0)
    .with_jitter()
    .with_max_times(ATTEMPTS);

/// The pauses of [`retry`], for whoever has something else to do before the next try.
pub(crate) fn pauses() -> impl Iterator<Item = Duration> {
    AFTER_A_CONFLICT.build()
}

/// Tries until it succeeds, `again` says that another try would not help, or it was tried often enough.
///
/// # Errors
/// Of the last try.
pub(crate) fn retry<T, E>(attempt: impl FnMut() -> Result<T, E>, again: impl FnMut(&E) -> bool) -> Result<T, E> {
    attempt.retry(AFTER_A_CONFLICT).when(again).call()
}

/// Tries at once, and for as long as `patience` lasts; between two tries the first of the pauses, doubled each time up to the
/// second.
///
/// # Errors
/// Of the last try.
pub(crate) fn retry_for<T, E>(
    patience: Duration,
    [first, longest]: [Duration; 2],
    attempt: impl FnMut() -> Result<T, E>,
    mut again: impl FnMut(&E) -> bool,
) -> Result<T, E> {
    let begun = Instant::now();
    let pauses =
        ExponentialBuilder::new().with_min_delay(first).with_max_delay(longest).with_factor(2.0).without_max_times();
    attempt.retry(pauses).when(|error| begun.elapsed() + first <= patience && again(error)).call()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_is_tried_again_a_few_times_and_nothing_else_is() {
        let mut tried = 0;
        let mut fails = || {
            tried += 1;
            Err::<(), _>(tried)
        };
        assert_eq!(retry(&mut fails, |tried| *tried < 3), Err(3));
        let pauses: Vec<Duration> = pauses().collect();
        assert_eq!(pauses.len(), ATTEMPTS);
        for (pause, base) in pauses.iter().zip([50, 100, 200, 400, 800]) {
            assert!((base..=2 * base).contains(&pause.as_millis()), "{pauses:?}");
        }
    }

    #[test]
    fn patience_ends() {
        let begun = Instant::now();
        let pauses = [Duration::from_millis(5), Duration::from_millis(20)];
        assert_eq!(retry_for(Duration::from_millis(100), pauses, || Err::<(), _>(()), |()| true), Err(()));
        assert!((80..1000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
        assert_eq!(retry_for(Duration::ZERO, pauses, || Ok::<_, ()>(1), |()| true), Ok(1));
    }
}
