//! `proto` asks no clock, draws no randomness and touches nothing around it: clippy refuses what `std` has for that, by
//! the list in `crates/proto/clippy.toml`. Here it is made sure that the list has what it must, and that no source steps
//! around it. What other crates could bring, `manifest.rs` keeps out: `proto` depends on none that has any of it.

use std::path::Path;

use super::Source;
use crate::source::{self, Token};

const FILE: &str = "crates/proto/clippy.toml";

const METHODS: [&str; 21] = [
    "std::time::Instant::now",
    "std::time::Instant::elapsed",
    "std::time::SystemTime::now",
    "std::time::SystemTime::elapsed",
    "std::thread::sleep",
    "std::thread::spawn",
    "std::env::var",
    "std::env::var_os",
    "std::env::vars",
    "std::env::vars_os",
    "std::env::args",
    "std::env::args_os",
    "std::thread::scope",
    "std::fs::read",
    "std::fs::read_to_string",
    "std::fs::read_dir",
    "std::fs::write",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "rustls_pki_types::UnixTime::now",
];

const TYPES: [&str; 10] = [
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::fs::File",
    "std::fs::OpenOptions",
    "std::process::Command",
    "std::thread::Builder",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::hash::RandomState",
];

/// What `proto` may use of `std` beside the list: locks, and whatever the exceptions need.
const OF_STD: [&str; 1] = ["sync"];

/// Files of `proto` that may allow what the list refuses, and how often: one offers the system's clock to callers.
const EXCEPTIONS: [(&str, usize); 1] = [("crates/proto/src/time.rs", 2)];

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
    let mut found = allowed_lints(&source.shipped);
    found.extend(uses_of_std(&source.shipped));
    found.sort_unstable();
    let allowed = EXCEPTIONS.iter().find(|(path, _)| *path == source.path).map_or(0, |(_, count)| *count);
    let extra = found.iter().skip(allowed);
    extra
        .map(|line| format!("{}:{line}: no clock, randomness or I/O in `proto`, and no exception", source.path))
        .collect()
}

/// Where an attribute turns off a lint of the list, or a group that it is in.
fn allowed_lints(tokens: &[Token]) -> Vec<usize> {
    let mut lines = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let is_level = matches!(token.word(), Some("allow" | "expect" | "warn"));
        if !is_level || !tokens.get(at + 1).is_some_and(|next| next.is('(')) {
            continue;
        }
        let words: Vec<&Token> = tokens[at + 1..source::behind_bracket(tokens, at + 1)]
            .iter()
            .filter(|token| token.word().is_some())
            .collect();
        let names = |pair: &[&Token]| {
            pair[0].word() == Some("clippy")
                && matches!(pair[1].word(), Some("disallowed_methods" | "disallowed_types" | "style" | "all"))
        };
        let in_lint = words.windows(2).filter(|pair| names(pair)).map(|pair| pair[1].line);
        lines.extend(in_lint);
        lines.extend(words.iter().filter(|token| token.word() == Some("warnings")).map(|token| token.line));
    }
    lines
}

/// Where `std` is named for something else than locks, or under another name.
fn uses_of_std(tokens: &[Token]) -> Vec<usize> {
    let named = tokens.iter().enumerate().filter(|(_, token)| token.word() == Some("std"));
    let other = named.filter(|(at, _)| {
        let behind = |offset| tokens.get(at + offset);
        let is_declared = behind(1).is_some_and(|next| next.is(';'));
        let part = behind(1).filter(|next| next.is(':')).and_then(|_| behind(3)).and_then(Token::word);
        !is_declared && !part.is_some_and(|part| OF_STD.contains(&part))
    });
    other.map(|(_, token)| token.line).collect()
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
        assert_eq!(findings("crates/proto/src/time.rs", &text.repeat(2)), 0);
        assert_eq!(findings("crates/proto/src/time.rs", &text.repeat(3)), 1);
        assert_eq!(findings("crates/gramseal/src/a.rs", text), 0);
        for around in [
            "#![allow(clippy::all)]",
            "#![allow(warnings)]",
            "#![allow(dead_code, warnings)]",
            "#![cfg_attr(feature = \"a\", expect(warnings, reason = \"r\"))]",
            "#![allow(clippy::too_many_lines, clippy::style)]",
        ] {
            assert_eq!(findings("crates/proto/src/a.rs", around), 1, "{around}");
        }
        assert_eq!(findings("crates/proto/src/a.rs", "#[allow(clippy::too_many_lines)] fn f() {}"), 0);
        assert_eq!(findings("crates/proto/src/a.rs", "fn f(warnings: u8) { g(warnings.all) }"), 0);
    }

    #[test]
    fn of_std_there_are_locks_alone() {
        let findings = |text: &str| check(&Source::of("crates/proto/src/a.rs", text)).len();
        for fine in ["extern crate std;", "use std::sync::Mutex;", "#[cfg(feature = \"std\")] mod a;"] {
            assert_eq!(findings(fine), 0, "{fine}");
        }
        for other in [
            "use std::fs;",
            "use std::{sync::Mutex, io};",
            "extern crate std as other;",
            "use std as other;",
            "fn f() { std::env::vars(); }",
        ] {
            assert_eq!(findings(other), 1, "{other}");
        }
        assert_eq!(findings("#[cfg(test)] mod tests { use std::fs; }"), 0);
    }
}
