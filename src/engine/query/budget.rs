//! How much is kept in memory.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::core::rows::{Cut, Row};

/// Of one tenant, and of all together: whatever a tenant answers, the process lives.
const BYTES: usize = 64 << 20;
const BYTES_OF_ALL: usize = 256 << 20;

/// What a value takes beside its text.
const OVERHEAD: usize = 32;

/// What one tenant has used of what there is.
pub(super) struct Budget<'a> {
    max_rows: usize,
    rows: usize,
    bytes: usize,
    of_all: &'a AtomicUsize,
}

impl<'a> Budget<'a> {
    pub fn new(max_rows: usize, of_all: &'a AtomicUsize) -> Self {
        Self { max_rows, rows: 0, bytes: 0, of_all }
    }

    /// Whether there is room for one more row, and why not.
    pub fn take(&mut self, row: &Row) -> Result<(), Cut> {
        if self.rows == self.max_rows {
            return Err(Cut::Rows(self.max_rows));
        }
        let bytes: usize = row.iter().map(|value| OVERHEAD + value.as_ref().map_or(0, String::len)).sum();
        if self.bytes + bytes > BYTES {
            return Err(Cut::Bytes(BYTES));
        }
        if self.of_all.fetch_add(bytes, Ordering::Relaxed) + bytes > BYTES_OF_ALL {
            self.of_all.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Cut::BytesOfAll(BYTES_OF_ALL));
        }
        self.rows += 1;
        self.bytes += bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_tenant_answers_and_what_all_do_has_an_end() {
        let row = |bytes: usize| vec![Some("x".repeat(bytes))];
        let of_all = AtomicUsize::new(0);
        let mut budget = Budget::new(2, &of_all);
        assert_eq!([0; 3].map(|n| budget.take(&row(n))), [Ok(()), Ok(()), Err(Cut::Rows(2))]);
        assert_eq!(Budget::new(9, &of_all).take(&row(BYTES)), Err(Cut::Bytes(BYTES)));
        of_all.store(BYTES_OF_ALL - OVERHEAD, Ordering::Relaxed);
        let mut budget = Budget::new(9, &of_all);
        assert_eq!(budget.take(&row(1)), Err(Cut::BytesOfAll(BYTES_OF_ALL)));
        assert_eq!(budget.take(&row(0)), Ok(()));
    }
}
