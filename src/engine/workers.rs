//! What threads that share a queue need.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A panic in another thread is reported by the scope; the value itself is still whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
