//! `add` and `forget`: a tenant written into tenants.toml, or taken out of it.

use tenantry::model::OnRemove;
use tenantry::render::escape::visible_lines;
use tenantry::render::markdown;
use tenantry::{Edit, Options};

use super::args::{AddArgs, ForgetArgs, Format, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::project;

pub fn add(global: &Global, args: &AddArgs, out: &mut Output) -> Result<Exit, Failure> {
    let class = args.class.iter().map(|class| ("class".to_owned(), format!("{class:?}")));
    let set: Vec<_> = class.chain(args.set.iter().cloned()).collect();
    let edit = project::open(global, Options::default())?.add(&args.tenant, &set)?;
    edit.write()?;
    print(&edit, out)?;
    out.note(&format!("next: tenantry plan --target {}", edit.tenant));
    Ok(Exit::Ok)
}

pub fn forget(global: &Global, args: &ForgetArgs, out: &mut Output) -> Result<Exit, Failure> {
    let edit = project::open(global, Options::default())?.forget(&args.tenant)?;
    edit.write()?;
    print(&edit, out)?;
    let then = match edit.on_remove {
        Some(OnRemove::Archive) => "archive its data, and then drop its schema, its roles and its secret",
        Some(OnRemove::Drop) => "drop its schema, its roles and its secret, without an archive",
        Some(OnRemove::Retain) => "lock it out and delete its secret; its schema stays",
        None => return Ok(Exit::Ok),
    };
    out.note(&format!("if {} has been applied, the next apply, with --allow-removals, will {then}", edit.tenant));
    out.note(&format!("next: tenantry plan --target {}", edit.tenant));
    Ok(Exit::Ok)
}

fn print(edit: &Edit, out: &mut Output) -> Result<(), Failure> {
    let diff = edit.diff();
    out.print(&match out.format {
        Format::Json => {
            let on_remove = edit.on_remove.map(OnRemove::as_str);
            let report = serde_json::json!({ "tenant": edit.tenant.as_str(), "file": edit.file, "diff": diff, "on_remove": on_remove });
            format!("{report:#}\n")
        }
        Format::Text => visible_lines(&diff).into_owned(),
        Format::Markdown => markdown::fenced("diff", &visible_lines(&diff)),
    })
}
