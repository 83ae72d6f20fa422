//! The tenants' rows as one table.

use std::collections::{BTreeMap, BTreeSet};

use super::{Answer, Column, Kind, Row, Rows, Said};

/// All rows in one table, whose first column is `tenant`: in the order of the answers, each one's rows as they came. Columns are the
/// same by name; where one tenant has a column that another has not, the other has NULL there.
#[must_use]
pub fn union(answers: &[Answer]) -> Rows {
    let mut columns = vec![Column { name: "tenant".into(), kind: Kind::Text }];
    let mut number_of: BTreeMap<String, usize> = BTreeMap::new();
    let mut rows = Vec::new();
    let given = answers.iter().filter_map(|answer| match &answer.said {
        Said::Rows(rows) => Some((&answer.tenant, rows)),
        Said::Failed(_) | Said::Skipped(_) => None,
    });
    for (tenant, given) in given {
        let mut places = Vec::with_capacity(given.columns.len());
        // A query may give a column the name of ours.
        let names = unambiguous(&given.columns, BTreeSet::from(["tenant".to_owned()]), str::to_owned);
        for (name, column) in names.into_iter().zip(&given.columns) {
            let place = *number_of.entry(name.clone()).or_insert(columns.len());
            match columns.get_mut(place) {
                Some(known) => known.kind = together(known.kind, column.kind),
                None => columns.push(Column { name, kind: column.kind }),
            }
            places.push(place);
        }
        let width = columns.len();
        rows.extend(given.rows.iter().map(|row| {
            let mut out: Row = vec![None; width];
            out[0] = Some(tenant.to_string());
            for (place, value) in places.iter().zip(row) {
                out[*place].clone_from(value);
            }
            out
        }));
    }
    rows.iter_mut().for_each(|row| row.resize(columns.len(), None));
    Rows { columns, rows, cut: None }
}

/// A query may give several columns one name, or one that is taken: the second one is `name_2`. `seen_as`: what two names have in common
/// that are one.
#[must_use]
pub fn unambiguous(columns: &[Column], mut taken: BTreeSet<String>, seen_as: impl Fn(&str) -> String) -> Vec<String> {
    let mut names = Vec::with_capacity(columns.len());
    for column in columns {
        let mut name = column.name.clone();
        let mut n = 2;
        while !taken.insert(seen_as(&name)) {
            name = format!("{}_{n}", column.name);
            n += 1;
        }
        names.push(name);
    }
    names
}

fn together(one: Kind, other: Kind) -> Kind {
    match (one, other) {
        (one, other) if one == other => one,
        (Kind::Integer, Kind::Number) | (Kind::Number, Kind::Integer) => Kind::Number,
        _ => Kind::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::TenantKey;

    fn answer(tenant: &str, columns: &[(&str, Kind)], rows: &[&[&str]]) -> Answer {
        let columns = columns.iter().map(|(name, kind)| Column { name: (*name).into(), kind: *kind }).collect();
        let rows = rows.iter().map(|row| row.iter().map(|value| Some((*value).to_owned())).collect()).collect();
        Answer { tenant: TenantKey::new(tenant).unwrap(), said: Said::Rows(Rows { columns, rows, cut: None }) }
    }

    #[test]
    fn columns_are_the_same_by_name_and_rows_keep_their_order() {
        let one = answer("b", &[("id", Kind::Integer), ("note", Kind::Text)], &[&["2", "x"], &["1", "y"]]);
        let other =
            answer("a", &[("note", Kind::Text), ("id", Kind::Number), ("more", Kind::Json)], &[&["z", "1.5", "{}"]]);
        let table = union(&[one, other]);
        let columns: Vec<_> = table.columns.iter().map(|column| (column.name.as_str(), column.kind)).collect();
        let wanted = [("tenant", Kind::Text), ("id", Kind::Number), ("note", Kind::Text), ("more", Kind::Json)];
        assert_eq!(columns, wanted);
        let row = |values: [&str; 4]| values.map(|value| (value != "-").then(|| value.to_owned())).to_vec();
        assert_eq!(table.rows, [row(["b", "2", "x", "-"]), row(["b", "1", "y", "-"]), row(["a", "1.5", "z", "{}"])]);
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let columns = [("tenant", Kind::Text), ("n", Kind::Bool), ("n", Kind::Integer), ("n_2", Kind::Text)];
        let table = union(&[answer("a", &columns, &[&["t", "t", "1", "x"]])]);
        let names: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["tenant", "tenant_2", "n", "n_2", "n_2_2"]);
        assert_eq!(union(&[]).columns.len(), 1);
        let same = ["N", "n", "n", "n"].map(|name| Column { name: name.into(), kind: Kind::Text });
        let lower = |name: &str| name.to_lowercase();
        assert_eq!(unambiguous(&same, BTreeSet::new(), lower), ["N", "n_2", "n_3", "n_4"]);
    }
}
