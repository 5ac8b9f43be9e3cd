//! `proto` asks no clock, draws no randomness and touches nothing around it: clippy refuses what `std` has for that, by
//! the list in `crates/proto/clippy.toml`. Here it is made sure that the list has what it must, and that no source steps
//! around it. What other crates could bring, `manifest.rs` keeps out: `proto` depends on none that has any of it.

use std::path::Path;

use super::Source;
use crate::source::{self, Token};

const FILE: &str = "crates/proto/clippy.toml";

const METHODS: [&str; 8] = [
    "std::time::Instant::now",
    "std::time::Instant::elapsed",
    "std::time::SystemTime::now",
    "std::time::SystemTime::elapsed",
    "std::thread::sleep",
    "std::thread::spawn",
    "std::env::var",
    "std::env::var_os",
];

const TYPES: [&str; 6] = [
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "std::fs::File",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::hash::RandomState",
];

/// Files of `proto` that may allow what the list refuses, and how often: one offers the system's clock to callers.
const EXCEPTIONS: [(&str, usize); 1] = [("crates/proto/src/time.rs", 1)];

/// Whether the list is whole.
pub(super) fn check_list(root: &Path) -> Result<Vec<String>, String> {
    Ok(missing(&source::read(&root.join(FILE))?))
}

fn missing(text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (list, wanted) in [("disallowed-methods", &METHODS[..]), ("disallowed-types", &TYPES)] {
        let entries = entries(text, list);
        for path in wanted.iter().filter(|path| !entries.contains(path)) {
            findings.push(format!("{FILE}:1: `{list}` lacks `{path}`"));
        }
    }
    findings
}

/// The paths in one list, comments left out.
fn entries<'t>(text: &'t str, list: &str) -> Vec<&'t str> {
    let lines = text.lines().map(str::trim);
    let inside = lines.skip_while(|line| !line.starts_with(list)).take_while(|line| *line != "]");
    let entry = |line: &'t str| line.strip_prefix("{ path = \"").and_then(|rest| rest.split('"').next());
    inside.filter_map(entry).collect()
}

/// Whether a source of `proto` allows what the list refuses, or asks for more of `std` than it has.
pub(super) fn check(source: &Source) -> Vec<String> {
    if !source.path.starts_with("crates/proto/src/") {
        return Vec::new();
    }
    let words: Vec<&Token> = source.shipped.iter().filter(|token| token.word().is_some()).collect();
    let is_exception =
        |token: &&&Token| matches!(token.word(), Some("disallowed_methods" | "disallowed_types" | "style" | "all"));
    let in_lint = |pair: &[&Token]| pair[0].word() == Some("clippy") && is_exception(&&pair[1]);
    let found: Vec<usize> = words.windows(2).filter(|pair| in_lint(pair)).map(|pair| pair[1].line).collect();
    let allowed = EXCEPTIONS.iter().find(|(path, _)| *path == source.path).map_or(0, |(_, count)| *count);
    let extra = found.iter().skip(allowed);
    extra
        .map(|line| format!("{}:{line}: no clock, randomness or I/O in `proto`, and no exception", source.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> String {
        let table = |name: &str, paths: &[&str]| {
            let rows: String =
                paths.iter().map(|path| format!("    {{ path = \"{path}\", reason = \"r\" }},\n")).collect();
            format!("{name} = [\n{rows}]\n")
        };
        table("disallowed-methods", &METHODS) + &table("disallowed-types", &TYPES)
    }

    #[test]
    fn a_whole_list_passes_and_one_that_lacks_anything_does_not() {
        assert_eq!(missing(&list()), [""; 0]);
        assert_eq!(missing("").len(), METHODS.len() + TYPES.len());
        for path in METHODS.iter().chain(&TYPES) {
            let entry = format!("path = \"{path}\"");
            assert_eq!(missing(&list().replace(&entry, "path = \"other\"")).len(), 1, "{path}");
            let commented = list().replace(&format!("    {{ {entry}"), &format!("    # {{ {entry}"));
            assert_eq!(missing(&commented).len(), 1, "{path}");
        }
    }

    #[test]
    fn the_list_of_this_repository_is_whole() {
        let root = crate::own_folder();
        let root = root.parent().expect("the folder above this crate");
        assert_eq!(check_list(root), Ok(Vec::new()));
    }

    #[test]
    fn sources_do_not_step_around_the_list() {
        let findings = |path: &str, text: &str| check(&Source::of(path, text)).len();
        let text = "#[expect(clippy::disallowed_methods, reason = \"r\")] fn f() {}";
        assert_eq!(findings("crates/proto/src/a.rs", text), 1);
        assert_eq!(findings("crates/proto/src/time.rs", text), 0);
        assert_eq!(findings("crates/proto/src/time.rs", &text.repeat(2)), 1);
        assert_eq!(findings("crates/gramseal/src/a.rs", text), 0);
        assert_eq!(findings("crates/proto/src/a.rs", "#![allow(clippy::all)]"), 1);
        assert_eq!(findings("crates/proto/src/a.rs", "#[allow(clippy::too_many_lines)] fn f() {}"), 0);
    }
}
