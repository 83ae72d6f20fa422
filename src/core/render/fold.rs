//! A hundred lines of one file that say the same are one hazard to whoever reads: the first, and how many there are.

use std::collections::BTreeMap;

use crate::core::migrations::place_of;
use crate::core::plan::{Hazard, HazardKind};

/// The hazards in their order; of those that say the same of lines of one file the first, with their number.
pub(super) fn hazards<'a>(found: impl IntoIterator<Item = &'a Hazard>) -> Vec<(HazardKind, String)> {
    let found: Vec<&Hazard> = found.into_iter().collect();
    let details = found.iter().map(|hazard| hazard.detail.as_str());
    lines(details).into_iter().map(|(at, detail)| (found[at].kind, detail)).collect()
}

/// The messages that are left, each with where it stood.
#[must_use]
pub fn lines<'a>(messages: impl Iterator<Item = &'a str>) -> Vec<(usize, String)> {
    let mut folded: Vec<(usize, String)> = Vec::new();
    // (file, what is said of its line) → where the first is, and how many.
    let mut same: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for (at, message) in messages.enumerate() {
        if let Some((file, _, what)) = place_of(message) {
            let (_, count) = same.entry((file, what)).or_insert((folded.len(), 0));
            *count += 1;
            if *count > 1 {
                continue;
            }
        }
        folded.push((at, message.to_owned()));
    }
    for (first, count) in same.into_values().filter(|(_, count)| *count > 1) {
        folded[first].1.push_str(&format!(" (the first of {count} such lines of the file; -v shows all)"));
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_of_one_file_that_say_the_same_are_one() {
        let messages = [
            "V1__a.sql:3 names x",
            "V1__a.sql:4 sets y",
            "b: c/V2__a.sql:3 names x",
            "V1__a.sql:9 names x",
            "two",
            "two",
        ];
        let folded: Vec<_> = lines(messages.into_iter());
        assert_eq!(
            folded.iter().map(|(at, text)| (*at, text.as_str())).collect::<Vec<_>>(),
            [
                (0, "V1__a.sql:3 names x (the first of 2 such lines of the file; -v shows all)"),
                (1, "V1__a.sql:4 sets y"),
                (2, "b: c/V2__a.sql:3 names x"),
                (4, "two"),
                (5, "two"),
            ]
        );
    }
}
