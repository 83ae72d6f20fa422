//! SQL of a file as a part of a longer text.

/// Without the comment at its head, and without a line break at its end.
pub(super) fn uncommented(sql: &str) -> String {
    sql.lines().skip_while(|line| line.starts_with("--")).collect::<Vec<_>>().join("\n")
}
