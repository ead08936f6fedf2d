//! Other people's files (scripts, styles, fonts) stand in folders that carry their licence.

use std::collections::BTreeSet;

use super::{Finding, Tree};

/// Endings that only files of other people have here.
const FOREIGN_ENDINGS: &[&str] = &[".min.css", ".min.js", ".otf", ".ttf", ".wasm", ".woff", ".woff2"];

const LICENCE_NAMES: &[&str] = &["copying", "licence", "license", "ofl"];

/// Whether the file was made elsewhere: it lies under a folder `vendor`, or its ending tells.
pub fn is_vendored(path: &str) -> bool {
    path.split('/').any(|part| part == "vendor") || FOREIGN_ENDINGS.iter().any(|ending| path.ends_with(ending))
}

pub fn check(tree: &Tree) -> Vec<Finding> {
    let folders: BTreeSet<&str> = tree
        .paths()
        .filter(|path| is_vendored(path))
        .map(asset_folder)
        .collect();
    folders
        .into_iter()
        .filter(|folder| !has_licence(tree, folder))
        .map(|folder| {
            let remedy = "put the LICENSE file of its makers beside it";
            Finding::new(folder, 1, "a vendored asset folder without a licence", remedy)
        })
        .collect()
}

/// `…/vendor/name` for what lies deeper in it, else the file's own folder.
fn asset_folder(path: &str) -> &str {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let Some(start) = folder.find("vendor/") else {
        return folder;
    };
    let name = start + "vendor/".len();
    let end = folder[name..].find('/').map_or(folder.len(), |length| name + length);
    &folder[..end]
}

fn has_licence(tree: &Tree, folder: &str) -> bool {
    tree.paths()
        .filter_map(|path| path.strip_prefix(folder)?.strip_prefix('/'))
        .any(|file| {
            LICENCE_NAMES
                .iter()
                .any(|name| file.to_ascii_lowercase().starts_with(name))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::report;

    #[test]
    fn a_vendored_folder_carries_a_licence() {
        let tree = Tree::of_texts(&[
            ("crates/web/assets/app.js", ""),
            ("crates/web/assets/fonts/sans.woff2", ""),
            ("crates/web/assets/vendor/htmx/dist/htmx.js", ""),
            ("crates/web/assets/vendor/htmx/LICENSE", ""),
            ("crates/web/assets/vendor/pico/pico.css", ""),
        ]);
        let expected = "crates/web/assets/fonts:1: a vendored asset folder without a licence\n\
                        crates/web/assets/vendor/pico:1: a vendored asset folder without a licence";
        assert_eq!(report(&check(&tree)), expected);
    }

    #[test]
    fn a_vendor_folder_may_be_one_asset() {
        let tree = Tree::of_texts(&[("a/vendor/x.js", ""), ("a/vendor/OFL.txt", "")]);
        assert_eq!(report(&check(&tree)), "");
    }
}
