//! What a tenant's roles hold outside of their schema.

use super::view::{Action, Kind};
use crate::core::model::{Gift, Given, Holding, Outside, ident, literal};
use crate::core::plan::statement::{Sql, do_block, statements};

/// So many gifts are named.
const NAMED: usize = 3;

/// A privilege outside of the tenant's schema goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokeOutside {
    /// Of this role of the tenant's.
    pub role: String,
    pub found: Outside,
}

impl RevokeOutside {
    fn object(&self) -> String {
        format!("{} {}", self.found.kind, self.found.identity)
    }

    /// What it holds, and who gave it.
    pub(in crate::core::plan) fn held(&self) -> String {
        let role = &self.role;
        match &self.found.held {
            Holding::Owned => format!("{role}: owner"),
            Holding::Future { privileges, .. } => format!("{role}: {privileges}"),
            Holding::Granted { privileges, grantor, .. } => {
                let by = grantor.as_ref().map(|grantor| format!(", granted by {grantor}")).unwrap_or_default();
                format!("{role}: {privileges}{by}")
            }
        }
    }

    /// `only`: these privileges and no others, as GRANT spells them.
    pub(in crate::core::plan) fn statements(&self, only: Option<&str>) -> Vec<String> {
        let to = ident(&self.role);
        let privileges = only.unwrap_or("ALL");
        match &self.found.held {
            Holding::Owned => Vec::new(),
            Holding::Future { of, plural, .. } => {
                let clause = self
                    .found
                    .schema
                    .as_ref()
                    .map(|schema| format!(" IN SCHEMA {}", ident(schema)))
                    .unwrap_or_default();
                let for_role = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {}{clause}", ident(of));
                vec![format!("{for_role} REVOKE {privileges} ON {plural} FROM {to} CASCADE")]
            }
            Holding::Granted { column, grantor, .. } => {
                let on = format!("{} {}", grant_word(&self.found.kind), self.found.identity);
                let columns = column.as_ref().map(|column| format!(" ({})", ident(column))).unwrap_or_default();
                let revoke = format!("REVOKE {privileges}{columns} ON {on} FROM {to} CASCADE");
                match grantor {
                    // A REVOKE counts as the owner's, and does not reach what another role granted.
                    Some(grantor) => {
                        vec![format!("SET LOCAL ROLE {}", ident(grantor)), revoke, "RESET ROLE".to_owned()]
                    }
                    None => vec![revoke],
                }
            }
        }
    }
}

impl Action for RevokeOutside {
    fn kind(&self) -> Kind {
        Kind::RevokeOutside
    }

    fn what(&self) -> String {
        match &self.found.held {
            Holding::Future { of, plural, .. } => {
                let place = self.found.schema.as_deref().unwrap_or("every schema");
                format!("future {} of {of} in {place}", plural.to_lowercase())
            }
            Holding::Granted { column: Some(column), .. } => format!("column {column} of {}", self.object()),
            Holding::Owned | Holding::Granted { .. } => self.object(),
        }
    }

    fn before(&self) -> Option<String> {
        Some(self.held())
    }

    fn after(&self) -> Option<String> {
        Some(format!("{}: none", self.role))
    }

    fn sql(&self) -> Vec<Sql> {
        statements(self.statements(None))
    }
}

/// What GRANT calls what `pg_identify_object` calls this.
pub(in crate::core::plan) fn grant_word(kind: &str) -> String {
    match kind {
        "view" | "materialized view" | "foreign table" => "TABLE".into(),
        "function" | "procedure" | "aggregate" => "ROUTINE".into(),
        "foreign-data wrapper" => "FOREIGN DATA WRAPPER".into(),
        "server" => "FOREIGN SERVER".into(),
        "parameter ACL" => "PARAMETER".into(),
        kind => kind.to_uppercase(),
    }
}

/// What one role gave another that is to be dropped, taken away as that role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokeGifts {
    pub role: String,
    pub by: String,
    pub gifts: Vec<Given>,
    /// Who takes the giver's rights for this, and whether membership alone is no right (from 16 on); `None`: they are had.
    pub borrower: Option<(String, bool)>,
}

impl Action for RevokeGifts {
    fn kind(&self) -> Kind {
        Kind::RevokeOutside
    }

    fn what(&self) -> String {
        format!("what {} gave {}", self.by, self.role)
    }

    fn before(&self) -> Option<String> {
        let mut words: Vec<String> = self.gifts.iter().take(NAMED).map(gift_in_words).collect();
        if self.gifts.len() > NAMED {
            words.push(format!("{} more", self.gifts.len() - NAMED));
        }
        Some(words.join("; "))
    }

    fn after(&self) -> Option<String> {
        Some("none".into())
    }

    /// As the giver, since nobody else's REVOKE reaches it. Who gave it, or what was given, may be gone by now, with a tenant
    /// that is removed at the same time: then there is nothing left to take away.
    fn sql(&self) -> Vec<Sql> {
        let giver = ident(&self.by);
        let [borrow, give_back] = match &self.borrower {
            Some((me, with_options)) => {
                let (me, with) = (ident(me), if *with_options { " WITH INHERIT TRUE, SET TRUE" } else { "" });
                [format!("GRANT {giver} TO {me}{with};\n"), format!("\nREVOKE {giver} FROM {me};")]
            }
            None => Default::default(),
        };
        let list = self.gifts.iter().map(|given| literal(&gift_statement(&self.role, given)));
        let list = list.collect::<Vec<_>>().join(",\n");
        statements([do_block(&format!(
            "IF pg_catalog.to_regrole({}) IS NULL THEN RETURN; END IF;\n\
             {borrow}SET LOCAL ROLE {giver};\n\
             FOREACH o IN ARRAY ARRAY[{list}]::text[] LOOP\n\
             BEGIN EXECUTE o; EXCEPTION WHEN undefined_table OR undefined_object OR undefined_function OR invalid_schema_name OR invalid_catalog_name THEN NULL; END;\n\
             END LOOP;\n\
             RESET ROLE;{give_back}",
            literal(&giver)
        ))])
    }
}

pub(in crate::core::plan) fn gift_statement(role: &str, given: &Given) -> String {
    let (from, identity) = (ident(role), &given.identity);
    match &given.gift {
        Gift::Privileges(_) => format!("REVOKE ALL ON {} {identity} FROM {from} CASCADE", grant_word(&given.kind)),
        Gift::Future { plural, .. } => {
            let place = given.schema.as_ref().map(|schema| format!(" IN SCHEMA {}", ident(schema))).unwrap_or_default();
            let by = ident(&given.by);
            format!("ALTER DEFAULT PRIVILEGES FOR ROLE {by}{place} REVOKE ALL ON {plural} FROM {from} CASCADE")
        }
        Gift::Policy { name, others } if others.is_empty() => format!("DROP POLICY {} ON {identity}", ident(name)),
        Gift::Policy { name, others } => {
            let others = others.iter().map(|role| ident(role)).collect::<Vec<_>>().join(", ");
            format!("ALTER POLICY {} ON {identity} TO {others}", ident(name))
        }
    }
}

pub(in crate::core::plan) fn gift_in_words(given: &Given) -> String {
    let object = format!("{} {}", given.kind, given.identity);
    match &given.gift {
        Gift::Privileges(privileges) => format!("{privileges} on {object}"),
        Gift::Future { plural, privileges } => {
            let place = given.schema.as_ref().map_or("every schema".to_owned(), |schema| format!("schema {schema}"));
            format!("{privileges} on future {} in {place}", plural.to_lowercase())
        }
        Gift::Policy { name, .. } => format!("policy {name} on {object}"),
    }
}
