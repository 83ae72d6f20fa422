//! TOML text → [`RawConfig`], going on after a fault: the key at fault is taken out and the rest is read again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Faults;
use super::interpolate::{Lookup, interpolate};
use super::places::Places;
use super::raw::{RawConfig, RawTenant};
use super::text::Text;
use crate::core::model::Origin;

type Table<'a> = DeTable<'a>;

/// The parsed file with `${VAR}` filled in. Syntax errors are faults; what could be read is still looked at. What a table of the
/// database holds is nobody's to fill in from the environment.
pub(super) fn document<'a>(text: &'a Text, env: Lookup<'_>, faults: &mut Faults) -> Spanned<Table<'a>> {
    let (mut document, errors) = DeTable::parse_recoverable(&text.source);
    for error in errors {
        faults.push_syntax(error.span(), error.message());
    }
    if text.origin == Origin::File {
        fill(document.get_mut(), env, faults);
    }
    document
}

fn fill(table: &mut Table<'_>, env: Lookup<'_>, faults: &mut Faults) {
    for (_, value) in table.iter_mut() {
        fill_value(value, env, faults);
    }
}

fn fill_value(value: &mut Spanned<DeValue<'_>>, env: Lookup<'_>, faults: &mut Faults) {
    let span = value.span();
    match value.get_mut() {
        DeValue::String(text) if text.contains("${") => match interpolate(text, env) {
            Ok(filled) => *text = Cow::Owned(filled),
            Err(message) => {
                faults.push(Some(span), message, Some("set it, or write $${ for the two characters themselves".into()))
            }
        },
        DeValue::Table(table) => fill(table, env, faults),
        DeValue::Array(array) => array.iter_mut().for_each(|item| fill_value(item, env, faults)),
        _ => {}
    }
}

/// Reads section by section and tenant by tenant, so that a fault in one hides none in another.
pub(super) fn config(document: &Spanned<Table<'_>>, faults: &mut Faults) -> RawConfig {
    let mut config = RawConfig::default();
    for (key, value) in document.get_ref().iter() {
        match key.get_ref().as_ref() {
            "database" => config.database = section(value, faults),
            "migrations" => config.migrations = section(value, faults),
            "secrets" => config.secrets = section(value, faults),
            "vault" => config.vault = section(value, faults),
            "passwords" => config.passwords = section(value, faults),
            "defaults" => config.defaults = section(value, faults),
            "archive" => config.archive = section(value, faults),
            "source" => config.source = section(value, faults),
            "include" => config.include = section(value, faults),
            "classes" => each(("classes", Origin::File), value, &mut config.classes, faults),
            "tenants" => each(("tenants", Origin::File), value, &mut config.tenants, faults),
            other => {
                let known = [
                    "include",
                    "database",
                    "migrations",
                    "secrets",
                    "vault",
                    "passwords",
                    "defaults",
                    "archive",
                    "source",
                    "classes",
                    "tenants",
                ];
                let shown = if other.contains('@') { "…" } else { other };
                let hint = did_you_mean(shown, &known);
                faults.push(Some(key.span()), format!("unknown section {shown:?}"), Some(hint));
            }
        }
    }
    config
}

/// What an included file adds: tenants and classes, and nothing else.
pub(super) fn more(document: &Spanned<Table<'_>>, origin: Origin, config: &mut RawConfig, faults: &mut Faults) {
    for (key, value) in document.get_ref().iter() {
        match key.get_ref().as_ref() {
            "classes" => each(("classes", origin), value, &mut config.classes, faults),
            "tenants" => each(("tenants", origin), value, &mut config.tenants, faults),
            "include" => {
                let hint = "name the file in the include of tenants.toml".to_owned();
                faults.push(Some(key.span()), "an included file includes no others", Some(hint));
            }
            _ => {
                let hint = "it has [tenants] and [classes] only; write everything else in tenants.toml".to_owned();
                faults.push(Some(key.span()), "this does not belong into an included file", Some(hint));
            }
        }
    }
}

fn each(
    (section_name, origin): (&str, Origin),
    value: &Spanned<DeValue<'_>>,
    into: &mut BTreeMap<String, RawTenant>,
    faults: &mut Faults,
) {
    let DeValue::Table(table) = value.get_ref() else {
        let hint = format!("write [{section_name}]");
        return faults.push(Some(value.span()), format!("{section_name} is not a table"), Some(hint));
    };
    for (key, value) in table.iter() {
        if faults.is_full() {
            break;
        }
        let tenant: RawTenant = section(value, faults);
        into.entry(key.get_ref().to_string()).or_insert(RawTenant { origin, ..tenant });
    }
}

/// A tenant or a class that two files declare: no one of them has the last word.
pub(super) fn declared_twice(
    texts: &[Text],
    documents: &[Spanned<Table<'_>>],
    places: &Places<'_>,
    faults: &mut Faults,
) {
    for (section, one) in [("tenants", "tenant"), ("classes", "class")] {
        let mut first = BTreeMap::new();
        for (file, document) in documents.iter().enumerate() {
            let Some(DeValue::Table(table)) = document.get_ref().get(section).map(|value| value.get_ref()) else {
                continue;
            };
            for key in table.keys() {
                let name = key.get_ref().as_ref();
                let Some((other, at)) = first.get(name) else {
                    first.insert(name, (file, key.span().start));
                    continue;
                };
                let other: &Text = &texts[*other];
                let begin = places.begins()[file];
                let span = begin + key.span().start..begin + key.span().end;
                let shown = if name.contains('@') { "…" } else { name };
                let message = format!("{one} {shown:?} is declared twice, also in {}", other.place(*at));
                faults.push(
                    Some(span),
                    message,
                    Some(format!("keep one of the two; here it is {}", texts[file].place(key.span().start))),
                );
            }
        }
    }
}

/// Deserializes one value, as often as it takes: each round reports one fault and takes its key out.
fn section<T: DeserializeOwned + Default>(value: &Spanned<DeValue<'_>>, faults: &mut Faults) -> T {
    let mut value = Cow::Borrowed(value);
    let mut taken_out: Vec<String> = Vec::new();
    loop {
        match T::deserialize(value.as_ref().clone().into_deserializer()) {
            Ok(read) => return read,
            Err(error) => {
                let span = error.span().unwrap_or_else(|| value.span());
                let (message, hint) = in_words(error.message());
                // What is missing since it was at fault itself has been told.
                let is_told = taken_out.iter().any(|key| message == format!("missing field `{key}`"));
                if !is_told {
                    faults.push(Some(span.clone()), message, hint);
                }
                match take_out(value.to_mut(), &span) {
                    Some(key) if !faults.is_full() => taken_out.push(key),
                    _ => return T::default(),
                }
            }
        }
    }
}

/// Removes the innermost key whose name or value covers the span; returns it.
fn take_out(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    let DeValue::Table(table) = value.get_mut() else { return None };
    let covers = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    let found = table.iter().find(|(key, value)| covers(key.span()) || covers(value.span()));
    let key = found.map(|(key, _)| key.clone())?;
    if let Some(inner) = table.get_mut(&key)
        && covers(inner.span())
        && let Some(key) = take_out(inner, span)
    {
        return Some(key);
    }
    table.remove(&key).map(|_| key.get_ref().to_string())
}

/// serde's message in this project's words, with the nearest known key as the hint. A value that it quotes is left out: it
/// may be a password that stands where a table is wanted. Only a word that an enumeration does not know is repeated, since
/// such a key holds no secret.
fn in_words(message: &str) -> (String, Option<String>) {
    for (kind, word) in [("unknown field `", "unknown key"), ("unknown variant `", "unknown value")] {
        if let Some((name, rest)) = message.strip_prefix(kind).and_then(|rest| rest.split_once('`')) {
            let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
            // One with an @ was an address before somebody forgot a "=".
            let name = if name.contains('@') { "…" } else { name };
            return (format!("{word} {name:?}"), Some(did_you_mean(name, &known)));
        }
    }
    if message.starts_with("missing field `") || message.starts_with("duplicate field `") {
        return (message.lines().next().unwrap_or_default().to_owned(), None);
    }
    let without_value = |text: &str| text.split(['`', '"', '\n']).next().unwrap_or_default().trim().to_owned();
    let message = match message.rsplit_once(", expected ") {
        Some((found, expected)) => {
            let (found, expected) = (without_value(found), in_tomls_words(expected));
            let found = match found.strip_prefix("invalid ").and_then(|rest| rest.split_once(": ")) {
                Some((_, "integer")) if expected.starts_with("a whole number") => "out of range",
                Some(("type", "integer" | "floating point")) => "found a number",
                Some(("type", "boolean")) => "found a boolean",
                Some(("type", "string")) => "found a string",
                Some(("type", "sequence")) => "found an array",
                Some(("type", "map")) => "found a table",
                _ => &found,
            };
            format!("{found}, expected {expected}")
        }
        // Words of ours, about one of several types.
        None if message.starts_with("a ") => format!("expected {}", without_value(message)),
        // toml's, of one of several words: it would take a table with one key for such a word too.
        None if message.starts_with("wanted string") || message.starts_with("wanted exactly") => {
            "expected a string".to_owned()
        }
        None => without_value(message),
    };
    (message, None)
}

/// What serde says in Rust's words.
fn in_tomls_words(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, not below 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "an array",
        "a map" => "a table",
        other if other.starts_with("struct ") => "a table",
        other if other.starts_with("sequence") => "an array",
        other => other,
    }
}

pub(super) fn did_you_mean(word: &str, known: &[&str]) -> String {
    // Its cost grows with the square of the word's length.
    let near = if word.len() > 100 { Vec::new() } else { similar::get_close_matches(word, known, 1, 0.6) };
    match near.first() {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("known ones are {}", known.join(", ")),
    }
}
