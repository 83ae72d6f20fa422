//! Lists of names as PostgreSQL stores them.

/// The names in a search_path as PostgreSQL stores it: quoted where they must be, unquoted folded to lower case.
pub(crate) fn split_identifiers(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace() || *c == ',').is_some() {}
        let mut name = String::new();
        match chars.peek() {
            None => return names,
            Some('"') => {
                chars.next();
                while let Some(c) = chars.next() {
                    if c == '"' && chars.next_if_eq(&'"').is_none() {
                        break;
                    }
                    name.push(c);
                }
            }
            Some(_) => {
                while let Some(c) = chars.next_if(|c| *c != ',' && !c.is_whitespace()) {
                    name.extend(c.to_lowercase());
                }
            }
        }
        names.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_search_path_is_read_back_into_its_names() {
        assert_eq!(split_identifiers(r#"tenant_a, "we""ird, one",  public"#), ["tenant_a", "we\"ird, one", "public"]);
        assert_eq!(split_identifiers(r#""""#), [""]);
        assert!(split_identifiers("").is_empty());
    }
}
