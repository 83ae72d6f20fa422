//! What threads that share their work need.

use std::process;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// A panic in another thread is reported by the scope; the value itself is still whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One thread at a time. A child that is forked while somebody has the turn would wait for ever for that thread, which it does not
/// have: so each process has a turn of its own.
#[derive(Default)]
pub(crate) struct Turn(OnceLock<Box<OfProcess>>);

struct OfProcess {
    process: u32,
    taken: Mutex<()>,
    of_child: Turn,
}

impl Turn {
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    pub fn take(&self) -> MutexGuard<'_, ()> {
        let process = process::id();
        let new = || Box::new(OfProcess { process, taken: Mutex::default(), of_child: Self::new() });
        let of = self.0.get_or_init(new);
        if of.process == process { lock(&of.taken) } else { of.of_child.take() }
    }
}

/// Does `work` for each of these, at most so many at once, and gives what came of it in their order. Once `stop` is set nothing
/// more is begun: then there is less than was asked for.
///
/// # Errors
/// The first that fails; what is begun is finished, and nothing more is begun.
pub(crate) fn each<'i, I: Sync, T: Send, E: Send>(
    items: &'i [I],
    at_once: usize,
    stop: Option<&AtomicBool>,
    work: impl Fn(&'i I) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Vec::with_capacity(items.len()), None));
    let share = || {
        while !stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) && lock(&done).1.is_none() {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return };
            let result = work(item);
            let mut done = lock(&done);
            match result {
                Ok(came) => done.0.push((at, came)),
                Err(error) => _ = done.1.get_or_insert(error),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..at_once.min(items.len()) {
            scope.spawn(share);
        }
        // The last share is this thread's own.
        share();
    });
    match done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        (_, Some(error)) => Err(error),
        (mut came, None) => {
            came.sort_unstable_by_key(|(at, _)| *at);
            Ok(came.into_iter().map(|(_, came)| came).collect())
        }
    }
}

/// The same for what does not fail.
pub(crate) fn each_of<'i, I: Sync, T: Send>(
    items: &'i [I],
    at_once: usize,
    stop: Option<&AtomicBool>,
    work: impl Fn(&'i I) -> T + Sync,
) -> Vec<T> {
    match each(items, at_once, stop, |item| Ok::<_, std::convert::Infallible>(work(item))) {
        Ok(came) => came,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_came_is_in_order_and_several_work_at_once() {
        let items: Vec<u64> = (0..8).collect();
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let came = each_of(&items, 4, None, |n| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(80 - 10 * n));
            now.fetch_sub(1, Ordering::SeqCst);
            n * n
        });
        assert_eq!(came, [0, 1, 4, 9, 16, 25, 36, 49]);
        assert!((2..=4).contains(&most.into_inner()));
    }

    #[test]
    fn after_a_failure_or_a_stop_nothing_more_is_begun() {
        let items: Vec<u32> = (0..100).collect();
        let begun = AtomicUsize::new(0);
        let failed = each(&items, 1, None, |n| {
            begun.fetch_add(1, Ordering::SeqCst);
            if *n == 3 { Err(*n) } else { Ok(()) }
        });
        assert_eq!((failed, begun.into_inner()), (Err(3), 4));
        let stop = AtomicBool::new(false);
        let came = each_of(&items, 1, Some(&stop), |n| {
            stop.store(*n == 1, Ordering::Relaxed);
            *n
        });
        assert_eq!(came, [0, 1]);
        assert_eq!(each_of(&[] as &[u32], 4, None, |n| *n), [] as [u32; 0]);
    }
}
