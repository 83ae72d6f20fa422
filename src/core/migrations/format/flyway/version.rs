//! Flyway's versions, such as 1, 1.2.3 or 20240101120000, as one number that orders them as Flyway does.
//!
//! Each part is written as the count of its digits and the digits themselves, and zeros fill the number up to 18 digits: 1.2.10 is
//! 11 12 210, then zeros. From 9 digits on the count is 9 and the count less 9: 20240101120000, which has 14, is 95 20240101120000.

use crate::core::migrations::Version;
use crate::core::migrations::names::Misnamed;

const DIGITS: usize = 18;
/// From here on a count takes two digits.
const LONG: usize = 9;

/// The number of a version.
pub(in crate::core::migrations) fn number(version: &str) -> Result<Version, Misnamed> {
    let mut parts: Vec<&str> = version.split(['.', '_']).map(|part| part.trim_start_matches('0')).collect();
    // 1.0 is 1 to Flyway.
    while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    let mut number = String::with_capacity(DIGITS);
    for part in parts {
        let part = if part.is_empty() { "0" } else { part };
        if part.len() < LONG {
            number += &format!("{}{part}", part.len());
        } else {
            number += &format!("{LONG}{}{part}", part.len() - LONG);
        }
    }
    let misnamed = || Misnamed {
        message: format!("has a version, {version}, that is too long to be numbered"),
        hint: format!("give it fewer or shorter parts: a digit more for each, {DIGITS} in all"),
    };
    if number.len() > DIGITS {
        return Err(misnamed());
    }
    format!("{number:0<DIGITS$}").parse().map_err(|_| misnamed())
}

/// The version of a number.
pub(in crate::core::migrations) fn shown(number: Version) -> String {
    let text = number.to_string();
    let mut rest = text.as_str();
    let mut parts = Vec::new();
    while let Some(first) = rest.chars().next().and_then(|c| c.to_digit(10)).filter(|first| *first > 0) {
        let (count, skipped) = match usize::try_from(first) {
            Ok(LONG) => (rest.get(1..2).and_then(|n| n.parse::<usize>().ok()).map(|more| LONG + more), 2),
            count => (count.ok(), 1),
        };
        let Some(part) = count.and_then(|count| rest.get(skipped..skipped + count)) else { return text };
        parts.push(part);
        rest = &rest[skipped + part.len()..];
    }
    // No number of ours: whoever wrote it, as it stands.
    if parts.is_empty() || rest.bytes().any(|byte| byte != b'0') || text.len() != DIGITS {
        return text;
    }
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_the_order_of_the_versions_and_go_back_to_them() {
        let versions = [
            "0",
            "0.1",
            "1",
            "1.0.1",
            "1.1",
            "1.2",
            "1.2.3",
            "1.2.10",
            "1.10",
            "2",
            "9",
            "10",
            "99999999",
            "123456789",
            "2024010112.30",
            "20240101120000",
            "20240101120000.1",
        ];
        let numbers: Vec<Version> = versions.iter().map(|version| number(version).unwrap()).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        for (version, number) in versions.iter().zip(&numbers) {
            assert_eq!(shown(*number), *version);
        }
        assert_eq!(number("1.2.10").unwrap(), 111_221_000_000_000_000);
        // Not one of these has the parts of a version, the zeros after them, and the length.
        for nobodys in [7, 111_221, 111_221_000_000_000_005, 1_112_210_000_000_000_000] {
            assert_eq!(shown(nobodys), nobodys.to_string());
        }
        assert_eq!(number("2024.01.15.103000").unwrap(), number("2024_1_15_103000").unwrap());
        assert_eq!(number("01.0.0").unwrap(), number("1").unwrap());
        assert!(number("20240101120000.100").is_err());
        assert_eq!(shown(7), "7", "a number of somebody else's");
    }
}
