//! What each file of src names of the others, by its syntax: `use` and every other path, those in macros too. Not seen: methods,
//! which are called without a path, and what a macro of ours expands to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// A module's path below the crate's root: `["engine", "apply"]`.
type Module = Vec<String>;

/// One file, without its tests.
pub struct File {
    module: Module,
    /// By the name that it has here: what `use` brings in, as it is written, with its line.
    uses: Vec<Use>,
    paths: Vec<(Vec<String>, usize)>,
    /// The files below it that it declares, tests too, by their paths below src without `.rs` or `/mod.rs`.
    declares: Vec<String>,
    /// Text in quotes, with its line.
    pub literals: Vec<(String, usize)>,
}

struct Use {
    /// `*`: whatever is there.
    name: String,
    path: Vec<String>,
    line: usize,
    is_public: bool,
}

/// Every file of src, by its path below it.
pub struct Sources {
    pub files: BTreeMap<String, File>,
    modules: BTreeMap<Module, String>,
}

/// Who names whom, with the line and the words of the first time.
pub type Edges = BTreeMap<(String, String), String>;

impl Sources {
    pub fn of_this_crate() -> Self {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let entries = walkdir::WalkDir::new(&src).into_iter().map(Result::unwrap);
        // main.rs is a crate of its own, of a dozen lines.
        let is_ours =
            |path: &Path| path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("main.rs");
        let files = entries.filter(|entry| is_ours(entry.path()));
        Self::new(files.map(|entry| {
            let name = entry.path().strip_prefix(&src).unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(entry.path()).unwrap())
        }))
    }

    /// From paths below src and what they hold.
    pub fn new(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let (mut files, mut modules) = (BTreeMap::new(), BTreeMap::new());
        for (name, text) in texts {
            let module = module_of(&name);
            let mut file = File {
                module: module.clone(),
                uses: Vec::new(),
                paths: Vec::new(),
                declares: Vec::new(),
                literals: Vec::new(),
            };
            let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            file.visit_file(&syntax);
            modules.insert(module, name.clone());
            files.insert(name, file);
        }
        Self { files, modules }
    }

    /// Files that no other declares, and so nobody compiles.
    pub fn left_over(&self) -> Vec<&str> {
        let declared: BTreeSet<&str> =
            self.files.values().flat_map(|file| file.declares.iter().map(String::as_str)).collect();
        let is_root = |name: &str| ["lib.rs", "cli/mod.rs"].contains(&name);
        let names = self.files.keys().map(String::as_str);
        names.filter(|name| !is_root(name) && !declared.contains(&*without_extension(name))).collect()
    }

    /// A re-export is no edge: whoever names something through it names the file that has it.
    pub fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (name, file) in &self.files {
            let mut add = |path: &[String], line: usize| {
                let target = self.absolute(file, path).and_then(|path| self.resolve(&path, &mut BTreeSet::new()));
                if let Some(target) = target.filter(|target| target != name) {
                    let why = format!("src/{name}:{line} names {} of src/{target}", path.join("::"));
                    edges.entry((name.clone(), target)).or_insert(why);
                }
            };
            for used in file.uses.iter().filter(|used| !used.is_public) {
                add(&used.path, used.line);
            }
            for (path, line) in &file.paths {
                add(path, *line);
            }
        }
        edges
    }

    /// From the crate's root on; `None`: it is another crate's, or of this file alone.
    fn absolute(&self, file: &File, path: &[String]) -> Option<Vec<String>> {
        let relative = |module: &[String], rest: &[String]| [module, rest].concat();
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some(relative(&file.module, &path[1..])),
            "super" => {
                let up = path.iter().take_while(|segment| *segment == "super").count();
                let module = &file.module[..file.module.len().checked_sub(up)?];
                Some(relative(module, &path[up..]))
            }
            first => {
                let used = file.uses.iter().find(|used| used.name == first && used.path.first() != path.first());
                if let Some(used) = used {
                    return Some([self.absolute(file, &used.path)?, path[1..].to_vec()].concat());
                }
                let below = relative(&file.module, path);
                self.modules.contains_key(&below[..=file.module.len()]).then_some(below)
            }
        }
    }

    /// The file that has what is named; `None` for a module as a whole.
    fn resolve(&self, path: &[String], seen: &mut BTreeSet<Vec<String>>) -> Option<String> {
        let depth = (0..=path.len()).rev().find(|depth| self.modules.contains_key(&path[..*depth]))?;
        let (module, rest) = path.split_at(depth);
        let name = rest.first()?;
        let here = self.modules.get(module)?;
        if !seen.insert(path.to_vec()) {
            return None;
        }
        let file = &self.files[here];
        let exports = || file.uses.iter().filter(|used| used.is_public);
        if let Some(used) = exports().find(|used| used.name == *name) {
            let target = [self.absolute(file, &used.path)?, rest[1..].to_vec()].concat();
            return self.resolve(&target, seen);
        }
        let globs = exports().filter(|used| used.name == "*");
        let through = globs.filter_map(|used| self.absolute(file, &used.path[..used.path.len() - 1]));
        let found = through.filter_map(|target| self.resolve(&[target, rest.to_vec()].concat(), seen)).next();
        found.or_else(|| Some(here.clone()))
    }
}

fn without_extension(name: &str) -> String {
    name.strip_suffix("/mod.rs").or_else(|| name.strip_suffix(".rs")).unwrap_or(name).to_owned()
}

fn module_of(name: &str) -> Module {
    let mut module: Module = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| ["mod", "lib"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

/// `#[path = "…"]`.
fn path_of(attributes: &[syn::Attribute]) -> Option<String> {
    let path = attributes.iter().find(|attribute| attribute.path().is_ident("path"))?;
    let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &path.meta.require_name_value().ok()?.value
    else {
        return None;
    };
    Some(text.value())
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
    })
}

impl<'a> Visit<'a> for File {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if item.content.is_none() {
            let (directory, name) = match path_of(&item.attrs) {
                // Beside the file, not below it.
                Some(path) => (&self.module[..self.module.len().saturating_sub(1)], without_extension(&path)),
                None => (self.module.as_slice(), item.ident.to_string()),
            };
            self.declares.push([directory, &[name]].concat().join("/"));
        }
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        let is_public = !matches!(item.vis, syn::Visibility::Inherited);
        self.expand(&item.tree, &mut Vec::new(), is_public);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        if path.leading_colon.is_none() && path.segments.len() > 1 {
            let line = path.segments[0].ident.span().start().line;
            self.paths.push((path.segments.iter().map(|segment| segment.ident.to_string()).collect(), line));
        }
        visit::visit_path(self, path);
    }

    fn visit_lit_str(&mut self, literal: &'a syn::LitStr) {
        self.literals.push((literal.value(), literal.span().start().line));
    }

    fn visit_macro(&mut self, called: &'a syn::Macro) {
        self.tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }
}

impl File {
    fn expand(&mut self, tree: &syn::UseTree, before: &mut Vec<String>, is_public: bool) {
        let mut leaf = |name: String, last: Option<String>, line: usize| {
            let path = before.iter().cloned().chain(last).collect();
            self.uses.push(Use { name, path, line, is_public });
        };
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.expand(&path.tree, before, is_public);
                before.pop();
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.expand(item, before, is_public));
            }
            syn::UseTree::Name(name) => {
                let (ident, line) = (name.ident.to_string(), name.ident.span().start().line);
                if ident == "self" {
                    leaf(before.last().cloned().unwrap_or_default(), None, line);
                } else {
                    leaf(ident.clone(), Some(ident), line);
                }
            }
            syn::UseTree::Rename(renamed) => {
                let ident = renamed.ident.to_string();
                let last = (ident != "self").then_some(ident);
                leaf(renamed.rename.to_string(), last, renamed.ident.span().start().line);
            }
            syn::UseTree::Glob(glob) => leaf("*".into(), Some("*".into()), glob.star_token.spans[0].start().line),
        }
    }

    /// Of a macro: what is in it is no syntax yet.
    fn tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut line, mut colons) = (Vec::new(), 0, 0);
        for token in tokens {
            match &token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) if colons == 2 && !path.is_empty() => path.push(ident.to_string()),
                _ => {
                    self.end_of_path(&mut path, line);
                    if let TokenTree::Ident(ident) = &token {
                        (path, line) = (vec![ident.to_string()], ident.span().start().line);
                    }
                }
            }
            colons = 0;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                        self.literals.push((text.value(), literal.span().start().line));
                    }
                }
                _ => {}
            }
        }
        self.end_of_path(&mut path, line);
    }

    fn end_of_path(&mut self, path: &mut Vec<String>, line: usize) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.paths.push((path, line));
        }
    }
}
