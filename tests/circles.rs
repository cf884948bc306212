//! Import circles: no two files of `src/` may import each other, directly or over other files.
//!
//! A name that a module only re-exports (`pub use`) counts as an import of the file that defines it. Tests do not
//! count.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test: what is not as expected is the test's answer"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, UseTree, Visibility};

/// Path of a module from the root of the library: `["input", "sheet"]`.
type ModulePath = Vec<String>;

/// The paths that a file names.
#[derive(Default)]
struct Names {
    module: ModulePath,
    /// Names of the modules that the file declares.
    children: BTreeSet<String>,
    /// Absolute paths that the file uses.
    used: Vec<ModulePath>,
    /// Absolute paths of the names that the file re-exports.
    exported: BTreeMap<String, ModulePath>,
}

impl Names {
    fn of(module: ModulePath, text: &str) -> Self {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{module:?}: {error}"));
        let mut names = Self { module, ..Self::default() };
        for item in &file.items {
            if let syn::Item::Mod(child) = item {
                names.children.insert(child.ident.to_string());
            }
        }
        names.visit_file(&file);
        names
    }

    /// Returns the absolute path of `path`; `None` if it belongs to another crate, or is a name
    /// that was imported.
    fn absolute(&self, path: &[String]) -> Option<ModulePath> {
        let mut from = self.module.clone();
        let ups = path.iter().take_while(|part| *part == "super").count();
        match path.first()?.as_str() {
            "crate" => return Some(path[1..].to_vec()),
            "super" => from.truncate(from.len().checked_sub(ups)?),
            "self" => return Some([from, path[1..].to_vec()].concat()),
            child if self.children.contains(child) => {}
            _ => return None,
        }
        Some([from, path[ups..].to_vec()].concat())
    }

    fn add_uses(&mut self, tree: &UseTree, before: &[String], is_export: bool) {
        let with = |part: &syn::Ident| [before.to_vec(), vec![part.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_uses(&path.tree, &with(&path.ident), is_export),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_uses(tree, before, is_export));
            }
            UseTree::Name(name) => self.add(&with(&name.ident), &name.ident, is_export),
            UseTree::Rename(rename) => self.add(&with(&rename.ident), &rename.rename, is_export),
            UseTree::Glob(_) => self.used.extend(self.absolute(before)),
        }
    }

    fn add(&mut self, path: &[String], name: &syn::Ident, is_export: bool) {
        // `use module::{self}` names the module.
        let path = if path.len() > 1 {
            path.strip_suffix(&["self".to_owned()]).unwrap_or(path)
        } else {
            path
        };
        let Some(path) = self.absolute(path) else { return };
        match is_export {
            true => drop(self.exported.insert(name.to_string(), path)),
            false => self.used.push(path),
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
    })
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            syn::Item::Mod(ItemMod { attrs, .. }) => attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_uses(&item.tree, &[], !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<_> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if parts.len() > 1 {
            self.used.extend(self.absolute(&parts));
        }
        visit::visit_path(self, path);
    }
}

/// Reads the modules below a folder, without tests.
fn read_modules(folder: &Path, module: &[String], found: &mut BTreeMap<ModulePath, Names>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner = [module.to_vec(), vec![name.clone()]].concat();
        if ["tests", "testing", "main"].contains(&name.as_str()) {
            continue;
        } else if path.is_dir() {
            read_modules(&path, &inner, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let module =
                if ["mod", "lib"].contains(&name.as_str()) { module.to_vec() } else { inner };
            let text = fs::read_to_string(&path).unwrap();
            found.insert(module.clone(), Names::of(module, &text));
        }
    }
}

/// Returns the module that defines the last name of a path.
fn defining<'a>(
    path: &[String],
    modules: &'a BTreeMap<ModulePath, Names>,
) -> Option<&'a ModulePath> {
    let known = (0..=path.len()).rev().find_map(|end| modules.get_key_value(&path[..end]));
    let (module, names) = known?;
    let rest = &path[module.len()..];
    match rest.first().and_then(|name| names.exported.get(name)) {
        Some(target) if target != path => {
            defining(&[target.clone(), rest[1..].to_vec()].concat(), modules)
        }
        _ => Some(module),
    }
}

/// Returns the modules that are part of a circle, or that import one.
fn in_circles(
    modules: &BTreeMap<ModulePath, Names>,
) -> BTreeMap<&ModulePath, BTreeSet<&ModulePath>> {
    let imports_of = |names: &Names| -> BTreeSet<&ModulePath> {
        let defining = names.used.iter().filter_map(|path| defining(path, modules));
        defining.filter(|module| **module != names.module && !module.is_empty()).collect()
    };
    let mut left: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> =
        modules.iter().map(|(module, names)| (module, imports_of(names))).collect();
    // A module whose imports are all gone is in no circle.
    while let Some(done) = left.iter().find(|(_, imports)| imports.is_empty()).map(|(at, _)| *at) {
        left.remove(done);
        for imports in left.values_mut() {
            imports.remove(done);
        }
    }
    left
}

#[test]
fn no_files_import_each_other() {
    let mut modules = BTreeMap::new();
    read_modules(Path::new("src"), &[], &mut modules);
    assert!(modules.len() > 150, "{} modules: they are not found", modules.len());
    let imports: usize = modules.values().map(|names| names.used.len()).sum();
    assert!(imports > 1000, "{imports} imports: they are not found");
    let circles = in_circles(&modules);
    assert!(circles.is_empty(), "these modules import each other: {circles:#?}");
}

#[test]
fn a_circle_is_found() {
    let module = |path: &[&str], text: &str| {
        let path: ModulePath = path.iter().map(|part| (*part).to_owned()).collect();
        (path.clone(), Names::of(path, text))
    };
    let with = |leaf: &str| {
        BTreeMap::from([
            module(&["a"], "mod b; mod c; pub use c::C; use b::B;"),
            module(&["a", "b"], "use super::C;"),
            module(&["a", "c"], leaf),
        ])
    };
    assert!(in_circles(&with("struct C;")).is_empty(), "the parent only passes the name on");
    assert_eq!(in_circles(&with("fn c() { crate::a::b::f() }")).len(), 3);
    assert!(in_circles(&with("#[cfg(test)] mod tests { use crate::a::b::f; }")).is_empty());
}
