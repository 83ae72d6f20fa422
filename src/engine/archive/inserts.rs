//! COPY's lines as INSERT statements: COPY itself reads from the session, and cannot run inside a function.

use crate::engine::copy_text::{NULL, unescaped};

/// Bytes of one statement, about.
const AT_ONCE: usize = 1 << 16;

/// `into` is `schema.table (columns)`, as pg_dump's COPY has it: without columns that are generated.
pub(super) fn inserts<'a>(into: &'a [u8], lines: &'a [u8]) -> impl Iterator<Item = Vec<u8>> + 'a {
    let mut lines = lines.split_inclusive(|byte| *byte == b'\n').peekable();
    let has_columns = into.ends_with(b")");
    std::iter::from_fn(move || {
        lines.peek()?;
        let mut sql = Vec::with_capacity(AT_ONCE + 256);
        if !has_columns {
            // A row of no column.
            lines.next();
            return Some([b"INSERT INTO ", into, b" DEFAULT VALUES"].concat());
        }
        sql.extend_from_slice(b"INSERT INTO ");
        sql.extend_from_slice(into);
        sql.extend_from_slice(b" OVERRIDING SYSTEM VALUE VALUES\n");
        let mut first = true;
        while sql.len() < AT_ONCE {
            let Some(line) = lines.next() else { break };
            if !std::mem::take(&mut first) {
                sql.extend_from_slice(b",\n");
            }
            row(line.strip_suffix(b"\n").unwrap_or(line), &mut sql);
        }
        Some(sql)
    })
}

/// Values without a type, which PostgreSQL reads as their columns' types do, as COPY would.
fn row(line: &[u8], sql: &mut Vec<u8>) {
    for (n, field) in line.split(|byte| *byte == b'\t').enumerate() {
        sql.push(if n == 0 { b'(' } else { b',' });
        if field == NULL {
            sql.extend_from_slice(b"NULL");
        } else {
            value(field, sql);
        }
    }
    sql.push(b')');
}

fn value(field: &[u8], sql: &mut Vec<u8>) {
    sql.push(b'\'');
    for byte in unescaped(field) {
        sql.push(byte);
        if byte == b'\'' {
            sql.push(byte);
        }
    }
    sql.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(into: &str, lines: &str) -> Vec<String> {
        inserts(into.as_bytes(), lines.as_bytes()).map(|sql| String::from_utf8(sql).unwrap()).collect()
    }

    #[test]
    fn a_line_is_a_row_with_its_escapes_undone() {
        assert_eq!(
            all("s.t (a, b)", "x\\ty\t\\N\n\\\\N\tit's\\n\n"),
            ["INSERT INTO s.t (a, b) OVERRIDING SYSTEM VALUE VALUES\n('x\ty',NULL),\n('\\N','it''s\n')"]
        );
        assert_eq!(all("s.t (a)", "\n"), ["INSERT INTO s.t (a) OVERRIDING SYSTEM VALUE VALUES\n('')"]);
        assert_eq!(all("s.t (a)", ""), [""; 0]);
    }

    #[test]
    fn rows_of_no_column_are_rows() {
        assert_eq!(all("s.t ", "\n\n"), ["INSERT INTO s.t  DEFAULT VALUES"; 2]);
    }

    #[test]
    fn many_rows_are_several_statements() {
        let lines = format!("{}\n", "x".repeat(1000)).repeat(1000);
        let statements = all("s.t (a)", &lines);
        assert!(statements.len() > 10, "{}", statements.len());
        assert_eq!(statements.iter().map(|sql| sql.matches("('x").count()).sum::<usize>(), 1000);
    }
}
