//! Privileges on the objects of one kind in a tenant's schema.

use std::collections::BTreeSet;

use super::view::{Action, Kind};
use crate::core::model::{Grantee, ObjectKind, ident, literal};
use crate::core::plan::acl::{Difference, quoted};
use crate::core::plan::privileges::{in_words, spell};
use crate::core::plan::statement::{Sql, do_block, statements};

/// The objects of a kind that the owner has in the schema, the history left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantObjects {
    pub kind: ObjectKind,
    pub schema: String,
    pub owner: String,
    pub username: String,
    /// The table of refinery's history.
    pub history: String,
    /// What the username gets by a grant, as letters; `None`: it owns the objects, and only the others' grants are at stake.
    pub want: Option<&'static str>,
    /// What the owner holds by itself, as letters.
    pub owners: &'static str,
    /// Whatever the username holds goes first.
    pub resets: bool,
    /// Where something differs.
    pub found: Vec<FoundOnObjects>,
}

/// Objects with the same privileges, which are not as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundOnObjects {
    pub count: i64,
    /// Not all of them where they are many.
    pub names: Vec<String>,
    /// What the username holds, as letters.
    pub tenants: String,
    /// Each with the column that it is on, if it is on one, and whether what it takes stays.
    pub differences: Vec<(Difference, Option<String>, bool)>,
}

/// What is wrong, in words and names.
#[derive(Default)]
struct Wrong {
    /// What the tenant holds, in words.
    tenants: BTreeSet<String>,
    /// Who else holds what, in words.
    others: BTreeSet<String>,
    /// Everything is revoked from these.
    from: BTreeSet<Grantee>,
    /// Whose grant options go, and with them what they granted.
    options_of: BTreeSet<String>,
    /// What the owner holds of its own, where that is not all, in words.
    owners: BTreeSet<String>,
    /// Another role than the owner granted something on a column.
    on_columns: bool,
}

impl GrantObjects {
    fn count(&self) -> i64 {
        self.found.iter().map(|found| found.count).sum()
    }

    fn wrong(&self) -> Wrong {
        let mut wrong = Wrong::default();
        let (user, owner) = (Grantee::Role(self.username.clone()), Grantee::Role(self.owner.clone()));
        for found in &self.found {
            let mut tenants = None;
            for (difference, column, kept) in &found.differences {
                if difference.takes() && !kept {
                    wrong.from.insert(difference.grantee.clone());
                    wrong.options_of.extend(difference.grantors().iter().cloned());
                    wrong.on_columns |= column.is_some() && !difference.grantors().is_empty();
                }
                if difference.grantee == owner {
                    wrong.owners.insert(difference.held());
                } else if difference.grantee == user && column.is_none() {
                    tenants = Some(difference.held());
                } else {
                    wrong.others.insert(format!("{}{}", difference.before(), found.place(column.as_deref())));
                }
            }
            wrong.tenants.insert(tenants.unwrap_or_else(|| in_words(&found.tenants)));
        }
        wrong
    }

    /// What each side of the change says.
    fn sides(&self) -> [String; 2] {
        let wrong = self.wrong();
        let list = |words: &BTreeSet<String>, between: &str| words.iter().cloned().collect::<Vec<_>>().join(between);
        let (mut before, mut after) = (Vec::new(), Vec::new());
        let others = list(&wrong.others, "; ");
        if let Some(want) = self.want {
            before.push(format!("{}: {}", self.username, list(&wrong.tenants, " / ")));
            after.push(format!("{}: {}", self.username, in_words(want)));
        }
        before.extend(wrong.owners.iter().map(|held| format!("{}: {held}", self.owner)));
        if !wrong.owners.is_empty() {
            after.push(format!("{}: {}", self.owner, in_words(self.owners)));
        }
        if !others.is_empty() {
            before.push(format!("also {others}"));
            // Of a tenant that owns, nothing else is said.
            after.extend(self.want.is_none().then(|| "the owner only".to_owned()));
        }
        [before.join("; "), after.join("; ")]
    }

    fn place(&self) -> [String; 2] {
        [literal(&ident(&self.schema)), literal(&ident(&self.owner))]
    }

    /// What another role granted on a column outlives that role's grant option, when it had that on the table; so the option
    /// is given on the column, for CASCADE to find (seen on 15 and 18).
    fn columns_of_others(&self) -> String {
        let [schema, owner] = self.place();
        format!(
            "FOR o IN SELECT DISTINCT pg_catalog.format('GRANT ALL (%1$I) ON TABLE %2$s TO %3$s WITH GRANT OPTION; REVOKE ALL (%1$I) ON TABLE %2$s FROM %3$s CASCADE', a.attname, c.oid::pg_catalog.regclass, x.grantor::pg_catalog.regrole)\n\
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) x\n\
         WHERE c.relnamespace = {schema}::pg_catalog.regnamespace AND c.relowner = {owner}::pg_catalog.regrole AND NOT a.attisdropped AND x.grantor <> c.relowner\n\
         LOOP EXECUTE o; END LOOP;\n"
        )
    }

    /// What GRANT calls the kind, and the query of its objects' names.
    fn query(&self) -> (&'static str, String) {
        let [schema, owner] = self.place();
        match self.kind {
            ObjectKind::Table => ("TABLE", relations(&schema, &owner, "'r','p','v','m','f'", &literal(&self.history))),
            ObjectKind::Sequence => ("SEQUENCE", relations(&schema, &owner, "'S'", "''")),
            ObjectKind::Function => (
                "ROUTINE",
                format!(
                    "SELECT p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_proc p WHERE p.pronamespace = {schema}::pg_catalog.regnamespace AND p.proowner = {owner}::pg_catalog.regrole AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype IN ('e','i'))"
                ),
            ),
            ObjectKind::Type => (
                "TYPE",
                format!(
                    "SELECT t.oid::pg_catalog.regtype::text FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid WHERE t.typnamespace = {schema}::pg_catalog.regnamespace AND t.typowner = {owner}::pg_catalog.regrole AND t.typtype IN ('e','d','r','c') AND (c.oid IS NULL OR c.relkind = 'c') AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')"
                ),
            ),
            ObjectKind::Other => ("", String::new()),
        }
    }
}

impl FoundOnObjects {
    pub(in crate::core::plan) fn examples(&self) -> String {
        self.names.join(", ")
    }

    pub(in crate::core::plan) fn place(&self, column: Option<&str>) -> String {
        column.map(|column| format!(" on column {column} of {}", self.examples())).unwrap_or_default()
    }
}

impl Action for GrantObjects {
    fn kind(&self) -> Kind {
        Kind::GrantObjects
    }

    fn what(&self) -> String {
        let mut names: Vec<String> = self.found.iter().flat_map(|found| found.names.iter().cloned()).collect();
        names.sort();
        let (kind, schema, count) = (self.kind, &self.schema, self.count());
        let plural = kind.plural().to_lowercase();
        match names.as_slice() {
            [one] if count == 1 => format!("{} {one} in {schema}", kind.singular()),
            few if count == few.len() as i64 => format!("{plural} {} in {schema}", few.join(", ")),
            _ => format!("{count} {plural} in {schema}"),
        }
    }

    fn before(&self) -> Option<String> {
        let [before, _] = self.sides();
        Some(before)
    }

    fn after(&self) -> Option<String> {
        let [_, after] = self.sides();
        Some(after)
    }

    /// One block for every object of a kind the owner has in the schema, the history left out.
    ///
    /// GRANT ON ALL TABLES would also touch what the tenant made itself, and fail where we may not. REVOKE on a table revokes
    /// on its columns too (manual, "REVOKE"), but not what another role granted there.
    fn sql(&self) -> Vec<Sql> {
        let wrong = self.wrong();
        let (word, query) = self.query();
        let user = ident(&self.username);
        let mut from: Vec<String> = wrong.from.iter().map(quoted).collect();
        if self.resets && !from.contains(&user) {
            from.push(user.clone());
        }
        let execute = |statement: String, roles: &str| {
            format!("EXECUTE pg_catalog.format('{statement}', o, {});", literal(roles))
        };
        let mut body = Vec::new();
        if !wrong.options_of.is_empty() {
            let of = wrong.options_of.iter().map(|role| ident(role)).collect::<Vec<_>>().join(", ");
            body.push(execute(format!("REVOKE GRANT OPTION FOR ALL ON {word} %s FROM %s CASCADE"), &of));
        }
        if !from.is_empty() {
            body.push(execute(format!("REVOKE ALL ON {word} %s FROM %s CASCADE"), &from.join(", ")));
        }
        if !wrong.owners.is_empty() {
            body.push(execute(format!("GRANT ALL ON {word} %s TO %s"), &ident(&self.owner)));
        }
        if let Some(want) = self.want {
            body.push(execute(format!("GRANT {} ON {word} %s TO %s", spell(want)), &user));
        }
        let columns = if wrong.on_columns { self.columns_of_others() } else { String::new() };
        statements([do_block(&format!("{columns}FOR o IN {query}\nLOOP {} END LOOP;", body.join("\n")))])
    }
}

fn relations(schema: &str, owner: &str, kinds: &str, but: &str) -> String {
    format!(
        "SELECT c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class c WHERE c.relnamespace = {schema}::pg_catalog.regnamespace AND c.relowner = {owner}::pg_catalog.regrole AND c.relkind IN ({kinds}) AND c.relname <> {but} AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')"
    )
}
