//! `ALTER ROLE … SET`.

use super::view::{Action, Kind};
use crate::core::model::{ident, literal};
use crate::core::plan::identifiers::split_identifiers;
use crate::core::plan::statement::{Sql, statements};

/// A setting of the tenant's role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetSetting {
    pub role: String,
    /// One of two users that log in for the tenant, which has the same of its own.
    pub of_login: bool,
    /// Of the role in this database alone.
    pub database: Option<String>,
    pub parameter: String,
    pub from: Option<String>,
    /// `None`: it is reset.
    pub to: Option<Value>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    /// Of a parameter that PostgreSQL stores as a list of quoted names (GUC_LIST_QUOTE): one string would be one name.
    List(String),
    /// search_path.
    Names(Vec<String>),
}

impl Value {
    fn in_words(&self) -> String {
        match self {
            Self::Text(text) | Self::List(text) => text.clone(),
            Self::Names(names) => names.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", "),
        }
    }

    fn sql(&self) -> String {
        match self {
            Self::Names(_) => self.in_words(),
            Self::Text(text) => literal(text),
            Self::List(text) => match items(text) {
                items if items.is_empty() => literal(text),
                items => items.iter().map(|item| literal(item)).collect::<Vec<_>>().join(", "),
            },
        }
    }
}

impl Action for SetSetting {
    fn kind(&self) -> Kind {
        Kind::SetSettings
    }

    fn what(&self) -> String {
        let place = if self.database.is_some() { " in this database" } else { "" };
        let whose = if self.of_login { format!(" of {}", self.role) } else { String::new() };
        format!("setting {}{whose}{place}", self.parameter)
    }

    fn before(&self) -> Option<String> {
        self.from.clone()
    }

    fn after(&self) -> Option<String> {
        self.to.as_ref().map(Value::in_words)
    }

    fn sql(&self) -> Vec<Sql> {
        let place = self.database.as_ref().map(|name| format!(" IN DATABASE {}", ident(name))).unwrap_or_default();
        let role = format!("ALTER ROLE {}{place}", ident(&self.role));
        let parameter = match self.parameter.as_str() {
            "search_path" if self.to.is_some() => "search_path".to_owned(),
            parameter => parameter_name(parameter),
        };
        statements([match &self.to {
            Some(value) => format!("{role} SET {parameter} = {}", value.sql()),
            None => format!("{role} RESET {parameter}"),
        }])
    }
}

/// The empty list is stored as one empty name.
pub(in crate::core::plan) fn items(list: &str) -> Vec<String> {
    split_identifiers(list).into_iter().filter(|item| !item.is_empty()).collect()
}

/// `a.b` is two identifiers to the grammar.
pub(in crate::core::plan) fn parameter_name(name: &str) -> String {
    name.split('.').map(ident).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_has_no_items_and_a_parameter_may_have_two_names() {
        assert_eq!(items(r#""""#), items(""));
        assert_eq!(parameter_name("pg_trgm.limit"), "\"pg_trgm\".\"limit\"");
    }
}
