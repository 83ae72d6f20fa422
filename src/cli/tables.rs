//! Tables for people: columns below one another, no lines between them.

use comfy_table::{CellAlignment, Table, presets};

/// Cells are escaped already. `right`: which columns, by number, are aligned to the right.
pub fn text(header: Vec<String>, rows: impl Iterator<Item = Vec<String>>, right: impl Fn(usize) -> bool) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
        if right(column.index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}
