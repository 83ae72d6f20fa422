//! Lengths of time, as tenants.toml and the command line have them.

use std::time::Duration;

/// Such as "5s", "10m", "30d"; a day is 24 hours.
///
/// # Errors
/// When it is not a duration, or not above zero.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::Span = text.parse().map_err(|_| format!("{text:?} is not a duration"))?;
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok();
    let length = length.and_then(|length| Duration::try_from(length).ok());
    length.filter(|length| !length.is_zero()).ok_or_else(|| format!("{text:?} is not a positive duration"))
}
