//! Which other tenants' schemas a tenant tries for real.

/// How many neighbours each tenant tries for real; in a fleet this small, all of them.
const NEIGHBOURS: usize = 8;

/// The schemas after this one, round and round.
pub(super) fn neighbours<'a>(schemas: &'a [String], own: &str) -> Vec<&'a str> {
    let at = schemas.iter().position(|schema| schema == own).map_or(0, |at| at + 1);
    let others = schemas.iter().cycle().skip(at).take(schemas.len()).filter(|schema| *schema != own);
    others.take(NEIGHBOURS).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_schema_is_somebodys_neighbour() {
        let schemas: Vec<String> = (0..30).map(|n| format!("s{n:02}")).collect();
        let tried: BTreeSet<_> = schemas.iter().flat_map(|own| neighbours(&schemas, own)).collect();
        assert_eq!(tried.len(), 30);
        assert!(neighbours(&schemas, "s29").contains(&"s00"));
        assert!(neighbours(&["a".to_owned()], "a").is_empty());
    }
}
