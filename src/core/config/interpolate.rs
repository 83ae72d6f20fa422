//! `${VAR}` in a string value.

/// Where the text of the environment's variables comes from; the core itself reads no environment.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The text with every `${VAR}` replaced; `$${` stands for a literal `${`.
///
/// # Errors
/// What is wrong, as a fragment: an unset variable, an unclosed brace, a name no shell would take.
pub(super) fn interpolate(text: &str, env: Lookup<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at - 1]);
            out.push_str("${");
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let (name, after) = rest[at + 2..].split_once('}').ok_or("\"${\" without a closing \"}\"")?;
        let well_formed = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !well_formed {
            // Not repeated: it may be a piece of a password.
            return Err("what is between \"${\" and \"}\" is not the name of an environment variable".into());
        }
        out.push_str(&env(name).ok_or_else(|| format!("the environment variable {name} is not set"))?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_and_unset_ones_named() {
        let env = |name: &str| (name == "A").then(|| "x${B}".to_owned());
        assert_eq!(interpolate("1${A}2${A}", &env).unwrap(), "1x${B}2x${B}");
        assert_eq!(interpolate("cost $5, $${A}", &env).unwrap(), "cost $5, ${A}");
        assert_eq!(interpolate("${NOPE}", &env).unwrap_err(), "the environment variable NOPE is not set");
        assert!(interpolate("${A", &env).is_err());
        assert_eq!(interpolate("$${A}${A}", &env).unwrap(), "${A}x${B}");
        for name in ["_", "_a1", "A_B2"] {
            assert_eq!(
                interpolate(&format!("<${{{name}}}>"), &|asked| Some(asked.to_lowercase())).unwrap(),
                format!("<{}>", name.to_lowercase())
            );
        }
        for name in ["", "a b", "1a", "a-b", "é", "a.b"] {
            let fault = interpolate(&format!("${{{name}}}"), &|_| Some("x".into())).unwrap_err();
            assert_eq!(fault, "what is between \"${\" and \"}\" is not the name of an environment variable", "{name}");
        }
    }
}
