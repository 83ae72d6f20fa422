//! Where a statement can run: in the tenant's transaction, outside of any, or nowhere in a migration.
//!
//! The lists are PostgreSQL's: the callers of `PreventInTransactionBlock` from 14 to 18; what SPI, and with it PL/pgSQL's
//! EXECUTE, refuses (`_SPI_execute_plan`, `exec_stmt_dynexecute`); what takes a superuser, or a right that a tenant's owner
//! never has. What is not here runs in the transaction, and PostgreSQL has the last word on it.

use squawk_syntax::SyntaxKind;
use squawk_syntax::ast::{self, AstNode};

use super::blocking::stored;

/// Where one kind of statement runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Inside,
    /// In a file without a transaction only. What it is, as an error names it.
    Outside(&'static str),
    /// In either: on a partitioned table it cannot run in a transaction, and that is not to be seen in the statement.
    Either,
    /// What is wrong with it, and what to write instead.
    Nowhere(String, String),
}

fn nowhere(message: impl Into<String>, hint: impl Into<String>) -> Place {
    Place::Nowhere(message.into(), hint.into())
}

/// Where it runs.
pub(super) fn of(statement: &ast::Stmt) -> Place {
    use ast::Stmt as S;
    match statement {
        S::Begin(_)
        | S::Commit(_)
        | S::Rollback(_)
        | S::SavepointCreate(_)
        | S::ReleaseSavepoint(_)
        | S::PrepareTransaction(_) => nowhere(
            "contains a transaction command; each tenant is one transaction, which tenantry controls",
            "delete the command, or split the file where the transaction was meant to end",
        ),
        S::SetTransaction(set) if set.session_characteristics().is_none() => nowhere(
            "sets the mode of a transaction; each tenant is one transaction, which tenantry controls",
            "delete the command",
        ),
        S::Discard(discard) if matches!(discard.discard_target(), Some(ast::DiscardTarget::DiscardAll(_))) => {
            nowhere("DISCARD ALL cannot run inside the tenant's transaction", "delete it: the session is tenantry's")
        }
        S::SetRole(_) | S::ResetRole(_) | S::SetSessionAuth(_) | S::ResetSessionAuth(_) => role_of_session(),
        S::Set(_) | S::Reset(_) if matches!(parameter(statement).as_str(), "role" | "session_authorization") => {
            role_of_session()
        }
        S::Select(_) | S::SelectInto(_) | S::CompoundSelect(_) | S::ParenSelect(_) => select(statement),
        S::Copy(copy) => self::copy(copy),
        S::CreateIndex(create) if create.concurrently_token().is_some() => match create.index() {
            Some(_) => Place::Outside("CREATE INDEX CONCURRENTLY"),
            None => nowhere(
                "CREATE INDEX CONCURRENTLY without a name creates another index each time a run is interrupted",
                "give the index a name",
            ),
        },
        S::DropIndex(drop) if drop.concurrently_token().is_some() => {
            if drop.index_refs().count() > 1 || matches!(drop.drop_behavior(), Some(ast::DropBehavior::Cascade(_))) {
                nowhere("DROP INDEX CONCURRENTLY takes one index, and no CASCADE", "write a statement for each index")
            } else {
                Place::Outside("DROP INDEX CONCURRENTLY")
            }
        }
        S::AlterTable(alter) if detaches_concurrently(alter) => Place::Outside("DETACH PARTITION … CONCURRENTLY"),
        S::Reindex(reindex) => self::reindex(reindex),
        S::Vacuum(vacuum) => match vacuum.table_and_columns_list() {
            Some(_) => Place::Outside("VACUUM"),
            None => every_table("VACUUM"),
        },
        S::Analyze(analyze) if analyze.table_and_columns_list().is_some() => Place::Either,
        S::Cluster(cluster) if cluster.table_name_ref().is_none() && cluster.cluster_legacy().is_none() => {
            every_table("CLUSTER")
        }
        S::Cluster(_) => Place::Either,
        _ => beyond(statement),
    }
}

/// What is not a tenant's, but the database's or the cluster's.
fn beyond(statement: &ast::Stmt) -> Place {
    use ast::Stmt as S;
    let by_administrator = |what: &str, why: &str| {
        nowhere(format!("{what} {why}"), "let an administrator do it once for the database, outside of migrations")
    };
    let superuser =
        |what: &str| by_administrator(what, "needs a superuser, but a migration runs as the tenant's owner");
    let of_database =
        |what: &str| by_administrator(what, "affects the whole database, but a migration is for one tenant's schema");
    let of_cluster =
        |what: &str| by_administrator(what, "affects the whole server, but a migration is for one tenant's schema");
    match statement {
        S::CreateSchema(_) => nowhere(
            "CREATE SCHEMA goes beyond the tenant's own schema, which exists before its migrations run",
            "create the objects without naming a schema; a schema that all tenants use goes into [database] shared_schemas",
        ),
        S::AlterSchema(_) | S::DropSchema(_) => nowhere(
            "tenantry creates, renames and drops schemas, as tenants.toml says",
            "delete the statement; to empty a tenant's schema, drop its objects",
        ),
        S::CreateRole(_)
        | S::AlterRole(_)
        | S::DropRole(_)
        | S::CreateUser(_)
        | S::AlterUser(_)
        | S::DropUser(_)
        | S::CreateGroup(_)
        | S::AlterGroup(_)
        | S::DropGroup(_) => nowhere(
            "a role belongs to the whole server, but a migration runs as the tenant's owner, which may not create or alter any",
            "tenants' roles, limits and settings are in tenants.toml; let an administrator create any other",
        ),
        S::CreateDatabase(_) => of_cluster("CREATE DATABASE"),
        S::AlterDatabase(_) => of_database("ALTER DATABASE"),
        S::DropDatabase(_) => of_cluster("DROP DATABASE"),
        S::CreateTablespace(_) => of_cluster("CREATE TABLESPACE"),
        S::AlterTablespace(_) => of_cluster("ALTER TABLESPACE"),
        S::DropTablespace(_) => of_cluster("DROP TABLESPACE"),
        S::AlterSystem(_) => of_cluster("ALTER SYSTEM"),
        S::Checkpoint(_) => of_cluster("CHECKPOINT"),
        S::CreateSubscription(_) => of_database("CREATE SUBSCRIPTION"),
        S::AlterSubscription(_) => of_database("ALTER SUBSCRIPTION"),
        S::DropSubscription(_) => of_database("DROP SUBSCRIPTION"),
        S::CreatePublication(_) => of_database("CREATE PUBLICATION"),
        S::AlterPublication(_) => of_database("ALTER PUBLICATION"),
        S::AlterExtension(_) => of_database("ALTER EXTENSION"),
        S::CreateEventTrigger(_) => superuser("CREATE EVENT TRIGGER"),
        S::AlterEventTrigger(_) => superuser("ALTER EVENT TRIGGER"),
        S::CreateAccessMethod(_) => superuser("CREATE ACCESS METHOD"),
        S::CreateForeignDataWrapper(_) => superuser("CREATE FOREIGN DATA WRAPPER"),
        S::AlterForeignDataWrapper(_) => superuser("ALTER FOREIGN DATA WRAPPER"),
        S::CreateOperatorClass(_) => superuser("CREATE OPERATOR CLASS"),
        S::CreateOperatorFamily(_) => superuser("CREATE OPERATOR FAMILY"),
        S::AlterOperatorFamily(_) => superuser("ALTER OPERATOR FAMILY"),
        S::CreateTextSearchParser(_) => superuser("CREATE TEXT SEARCH PARSER"),
        S::CreateTextSearchTemplate(_) => superuser("CREATE TEXT SEARCH TEMPLATE"),
        S::CreateType(create) if matches!(create.kind(), Some(ast::CreateTypeKind::BaseType(_))) => {
            superuser("CREATE TYPE of a base type")
        }
        S::CreateLanguage(create) if !is_plpgsql(create) => superuser("CREATE LANGUAGE"),
        S::CreateFunction(_) | S::CreateProcedure(_) => match language(statement).as_deref() {
            Some("c" | "internal") => superuser("a function in C"),
            _ => Place::Inside,
        },
        S::CommentOn(comment) => match comment.comment_object() {
            Some(
                ast::CommentObject::ObjectExtension(_)
                | ast::CommentObject::ObjectDatabase(_)
                | ast::CommentObject::ObjectRole(_)
                | ast::CommentObject::ObjectTablespace(_)
                | ast::CommentObject::ObjectEventTrigger(_)
                | ast::CommentObject::ObjectLanguage(_)
                | ast::CommentObject::ObjectAccessMethod(_),
            ) => nowhere(
                "comments on something that is not the tenant's, which only its owner may do",
                "delete the statement",
            ),
            Some(ast::CommentObject::ObjectSchema(schema))
                if schema
                    .schema_ref()
                    .is_some_and(|name| stored(name.syntax().text().to_string().trim()) == "public") =>
            {
                nowhere("comments on schema public, which only its owner may do", "delete the statement")
            }
            _ => Place::Inside,
        },
        _ => Place::Inside,
    }
}

fn role_of_session() -> Place {
    nowhere(
        "PostgreSQL does not allow a change of role where migrations run, inside a SECURITY DEFINER function",
        "delete it: a migration runs as the tenant's owner, which owns what it creates",
    )
}

fn every_table(what: &str) -> Place {
    nowhere(
        format!("{what} without a table processes every table of the database, once for each tenant"),
        "name the tables",
    )
}

/// The name in SET or RESET, in lower case.
pub(super) fn parameter(statement: &ast::Stmt) -> String {
    let found = statement.syntax().descendants().find(|node| node.kind() == SyntaxKind::CONFIG_PARAMETER_REF);
    found.map(|node| stored(node.text().to_string().trim()).to_ascii_lowercase()).unwrap_or_default()
}

/// A query, unless it makes a table: PL/pgSQL's EXECUTE refuses SELECT INTO, whose INTO is another in PL/pgSQL itself.
fn select(statement: &ast::Stmt) -> Place {
    let into = statement.syntax().descendants().find_map(ast::IntoClause::cast);
    let Some(into) = into else { return Place::Inside };
    let table = into.table_name().map(|name| name.syntax().text().to_string()).unwrap_or_default();
    let kind = into.persistence().map(|kind| format!("{} ", kind.syntax().text().to_string().trim().to_uppercase()));
    nowhere(
        "SELECT INTO is refused by PostgreSQL where migrations run, inside a function",
        format!("write: CREATE {}TABLE {} AS SELECT …, without the INTO", kind.unwrap_or_default(), table.trim()),
    )
}

fn copy(copy: &ast::Copy) -> Place {
    let rows = "write INSERT INTO … VALUES (…), (…); pg_dump writes it so with --rows-per-insert=1000";
    let holds = |kind| copy.syntax().descendants().any(|node| node.kind() == kind);
    if holds(SyntaxKind::COPY_STDIN) {
        return nowhere("COPY … FROM stdin needs rows from a client, but a migration has none", rows);
    }
    if holds(SyntaxKind::COPY_STDOUT) {
        return nowhere("COPY … TO stdout writes to a client, but a migration has none", "delete the statement");
    }
    nowhere("COPY reads or writes files on the server, which no tenant may do", rows)
}

fn reindex(reindex: &ast::Reindex) -> Place {
    use ast::ReindexTarget as T;
    let one = |what: &str| {
        nowhere(format!("REINDEX {what} affects more than one tenant's schema"), "write REINDEX TABLE for each table")
    };
    match reindex.reindex_target() {
        Some(T::ReindexTargetDatabase(_)) => one("DATABASE"),
        Some(T::ReindexTargetSystem(_)) => one("SYSTEM"),
        Some(T::ReindexTargetSchema(_)) => nowhere(
            "REINDEX SCHEMA cannot run inside a transaction, and names the schema of one tenant only",
            "write REINDEX TABLE for each table",
        ),
        Some(T::ReindexTargetIndex(_) | T::ReindexTargetTable(_)) if reindexes_concurrently(reindex) => {
            Place::Outside("REINDEX … CONCURRENTLY")
        }
        _ => Place::Either,
    }
}

/// `REINDEX TABLE CONCURRENTLY t`, `REINDEX (CONCURRENTLY) TABLE t`, and not `(CONCURRENTLY off)`.
fn reindexes_concurrently(reindex: &ast::Reindex) -> bool {
    let word = reindex.reindex_target().is_some_and(|target| {
        target.syntax().children_with_tokens().any(|child| child.kind() == SyntaxKind::CONCURRENTLY_KW)
    });
    let options = reindex.reindex_option_list().into_iter().flat_map(|list| list.reindex_options());
    let value = options.filter_map(|option| match option {
        ast::ReindexOption::ReindexOptionConcurrently(option) => Some(option.syntax().text().to_string()),
        _ => None,
    });
    // Of one option said twice the last counts.
    let value =
        value.last().map(|text| text.split_whitespace().nth(1).unwrap_or("on").trim_matches('\'').to_lowercase());
    value.map_or(word, |value| word || !matches!(value.as_str(), "off" | "false" | "0" | "no"))
}

/// The action `DETACH PARTITION … CONCURRENTLY`, which stands alone in its ALTER TABLE.
pub(super) fn detach(alter: &ast::AlterTable) -> Option<(ast::DetachPartition, ast::DetachConcurrently)> {
    alter.actions().find_map(|action| match action {
        ast::AlterTableAction::DetachPartition(detach) => match detach.detach_partition_option() {
            Some(ast::DetachPartitionOption::DetachConcurrently(keyword)) => Some((detach, keyword)),
            _ => None,
        },
        _ => None,
    })
}

/// CREATE INDEX, DROP INDEX, REINDEX and DETACH PARTITION with CONCURRENTLY.
pub(super) fn is_concurrent(statement: &ast::Stmt) -> bool {
    match statement {
        ast::Stmt::CreateIndex(create) => create.concurrently_token().is_some(),
        ast::Stmt::DropIndex(drop) => drop.concurrently_token().is_some(),
        ast::Stmt::Reindex(reindex) => reindexes_concurrently(reindex),
        ast::Stmt::AlterTable(alter) => detaches_concurrently(alter),
        _ => false,
    }
}

fn detaches_concurrently(alter: &ast::AlterTable) -> bool {
    detach(alter).is_some()
}

/// `CREATE OR REPLACE LANGUAGE plpgsql` is CREATE EXTENSION IF NOT EXISTS, and it exists.
fn is_plpgsql(create: &ast::CreateLanguage) -> bool {
    let name = create.language().map(|language| stored(language.syntax().text().to_string().trim()));
    create.or_replace().is_some() && name.as_deref() == Some("plpgsql")
}

fn language(statement: &ast::Stmt) -> Option<String> {
    let option = statement.syntax().descendants().find_map(ast::LanguageFuncOption::cast)?;
    let written = option.syntax().text().to_string();
    Some(written.split_whitespace().last()?.trim_matches(['\'', '"']).to_ascii_lowercase())
}
