/// A limit on how many of the tenants something may happen to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AtMost {
    Number(usize),
    /// Of the tenants concerned, rounded down.
    Percent(f64),
    /// 2 %, and one in any case.
    Usual,
}

impl AtMost {
    const USUAL_PERCENT: f64 = 2.0;

    /// Such as "2%" or "0.5%".
    #[must_use]
    pub fn percent(text: &str) -> Option<Self> {
        let percent: f64 = text.strip_suffix('%')?.trim_end().parse().ok()?;
        (0.0..=100.0).contains(&percent).then_some(Self::Percent(percent))
    }

    /// So many of this many.
    #[must_use]
    pub fn of(self, many: usize) -> usize {
        match self {
            Self::Number(number) => number,
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a part of as many tenants as there are"
            )]
            Self::Percent(percent) => (many as f64 * percent / 100.0).floor() as usize,
            Self::Usual => Self::Percent(Self::USUAL_PERCENT).of(many).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_or_a_part() {
        assert_eq!(AtMost::percent("2%").map(|most| most.of(1000)), Some(20));
        assert_eq!(AtMost::percent("0.5%").map(|most| most.of(1000)), Some(5));
        assert_eq!(AtMost::percent("2%").map(|most| most.of(10)), Some(0));
        assert_eq!([0, 10, 99, 100, 10_000].map(|many| AtMost::Usual.of(many)), [1, 1, 1, 2, 200]);
        for text in ["2", "%", "-1%", "101%", "NaN%", "two%"] {
            assert_eq!(AtMost::percent(text), None, "{text}");
        }
    }
}
