//! Who may name whom inside `crates/proto/src`.
//!
//! Reads `use` trees and paths in expressions and types, resolves `crate`, `self` and `super` by the file's place, and
//! sees through what `lib.rs` exports again under a shorter name. A path through some other module's re-export counts
//! as a use of that module.

use std::collections::BTreeMap;

use super::Source;
use crate::source::{self, Token};

const PROTO: &str = "crates/proto/src/";

/// Vocabulary: no protocol rules, so that everything may use it, and each other.
const FOUNDATION: [&str; 11] =
    ["cid", "crypto", "discard", "encoding", "error", "keylog", "message", "padding", "suite", "time", "trace"];

/// A top-level module of `proto` and the others that it may name beside [`FOUNDATION`].
///
/// `record`, `flight` and `handshake` must never stand in each other's list: each can then be read, tested and
/// replaced alone. `session` stands below `config`: it knows no rule.
const LAYERS: [(&str, &[&str]); 8] = [
    ("config", &["session"]),
    ("record", &[]),
    ("flight", &[]),
    ("handshake", &["config", "session"]),
    ("session", &[]),
    ("connection", &["config", "flight", "handshake", "record", "session"]),
    // Only in tests and fuzzers.
    ("fuzzing", &["flight", "record"]),
    ("endpoint", &["config", "connection", "flight", "handshake", "record", "session"]),
];

pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let proto = || sources.iter().filter(|source| source.path.starts_with(PROTO));
    let mut findings = Vec::new();
    let mut root_names = BTreeMap::new();
    if let Some(lib) = proto().find(|source| source.path.ends_with("src/lib.rs")) {
        for leaf in uses(&lib.shipped) {
            if leaf.is_glob {
                findings.push(format!("{}:{}: a glob hides which layer a name comes from", lib.path, leaf.line));
            }
            root_names.extend(root_name(leaf));
        }
    }
    for source in proto() {
        let module = module_of(&source.path);
        let Some(layer) = module.first() else { continue };
        if !is_known(layer) {
            findings.push(format!(
                "{}:1: module `{layer}` has no layer: give it one in xtask/src/layers/imports.rs",
                source.path
            ));
            continue;
        }
        for found in paths(&source.shipped, &module) {
            let Some(first) = found.segments.first() else { continue };
            let target = root_names.get(first).unwrap_or(first);
            if !is_known(target) {
                // A macro or a name of `lib.rs` itself: it belongs to no layer.
                continue;
            }
            if !may_use(layer, target) {
                let path = found.segments.join("::");
                findings
                    .push(format!("{}:{}: `{layer}` must not use `{target}` (crate::{path})", source.path, found.line));
            }
        }
    }
    findings
}

fn is_known(module: &str) -> bool {
    FOUNDATION.contains(&module) || LAYERS.iter().any(|(name, _)| *name == module)
}

fn may_use(layer: &str, target: &str) -> bool {
    layer == target
        || FOUNDATION.contains(&target)
        || LAYERS.iter().any(|(name, allowed)| *name == layer && allowed.contains(&target))
}

/// The module path that a file stands for: `crates/proto/src/record/open.rs` is `record::open`.
fn module_of(path: &str) -> Vec<String> {
    let inside = path.strip_prefix(PROTO).unwrap_or(path);
    let mut module: Vec<String> = inside.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        module.pop();
    }
    module
}

fn uses(tokens: &[Token]) -> Vec<Leaf> {
    let starts = (0..tokens.len()).filter(|at| tokens[*at].word() == Some("use"));
    starts.flat_map(|at| use_tree(tokens, at + 1).leaves).collect()
}

/// A name that `lib.rs` exports again, and the top-level module it comes from.
fn root_name(leaf: Leaf) -> Option<(String, String)> {
    let mut path = leaf.segments.into_iter().filter(|segment| segment != "crate" && segment != "self");
    let module = path.next()?;
    let last = path.next_back()?;
    Some((leaf.alias.unwrap_or(last), module))
}

/// A path from the crate's root, and the line it stands on.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    segments: Vec<String>,
    line: usize,
}

/// Every path into the own crate that the tokens of a module's file name.
fn paths(tokens: &[Token], module: &[String]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut inline = InlineModules::default();
    let mut at = 0;
    while at < tokens.len() {
        inline.step(tokens, at);
        let here: Vec<String> = module.iter().chain(&inline.names).cloned().collect();
        match tokens[at].word() {
            // `use<'a>` in a return type captures lifetimes and imports nothing.
            Some("use") if !tokens.get(at + 1).is_some_and(|next| next.is('<')) => {
                let tree = use_tree(tokens, at + 1);
                for leaf in tree.leaves {
                    if let Some(segments) = resolve(&leaf.segments, &here) {
                        found.push(Found { segments, line: leaf.line });
                    }
                }
                at = tree.end;
            }
            Some("crate" | "self" | "super") if is_path(tokens, at) => {
                let (segments, end) = plain_path(tokens, at);
                if let Some(segments) = resolve(&segments, &here) {
                    found.push(Found { segments, line: tokens[at].line });
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    found
}

/// Follows `mod name { … }` inside one file.
#[derive(Default)]
struct InlineModules {
    names: Vec<String>,
    /// For each name, the index behind its closing brace.
    ends: Vec<usize>,
}

impl InlineModules {
    fn step(&mut self, tokens: &[Token], at: usize) {
        while self.ends.last().is_some_and(|end| *end <= at) {
            self.ends.pop();
            self.names.pop();
        }
        let [first, name, open, ..] = &tokens[at..] else { return };
        if let (Some("mod"), Some(name), true) = (first.word(), name.word(), open.is('{')) {
            self.names.push(name.to_owned());
            self.ends.push(source::behind_bracket(tokens, at + 2));
        }
    }
}

fn is_separator(tokens: &[Token], at: usize) -> bool {
    tokens.get(at).is_some_and(|token| token.is(':')) && tokens.get(at + 1).is_some_and(|token| token.is(':'))
}

/// Whether the keyword at `at` begins a path of several parts, and is not inside one.
fn is_path(tokens: &[Token], at: usize) -> bool {
    is_separator(tokens, at + 1) && !(at >= 2 && is_separator(tokens, at - 2))
}

/// The parts of the path at `start`, and the index behind it.
fn plain_path(tokens: &[Token], start: usize) -> (Vec<String>, usize) {
    let mut segments = Vec::new();
    let mut at = start;
    while let Some(word) = tokens.get(at).and_then(Token::word) {
        segments.push(word.to_owned());
        at += 1;
        if !is_separator(tokens, at) {
            break;
        }
        at += 2;
    }
    (segments, at)
}

struct Leaf {
    segments: Vec<String>,
    alias: Option<String>,
    is_glob: bool,
    line: usize,
}

struct UseTree {
    leaves: Vec<Leaf>,
    end: usize,
}

/// The `use` tree at `start`; a glob is a leaf that ends with its module.
fn use_tree(tokens: &[Token], start: usize) -> UseTree {
    let mut tree = UseTree { leaves: Vec::new(), end: start };
    let absolute = if is_separator(tokens, start) { start + 2 } else { start };
    tree.end = use_branch(tokens, absolute, &[], &mut tree.leaves);
    tree
}

/// Reads one branch below `prefix` and returns the index behind it.
fn use_branch(tokens: &[Token], start: usize, prefix: &[String], leaves: &mut Vec<Leaf>) -> usize {
    let (own, mut at) = plain_path(tokens, start);
    let segments: Vec<String> = prefix.iter().chain(&own).cloned().collect();
    let line = tokens.get(start).map_or(0, |token| token.line);
    let Some(next) = tokens.get(at) else { return at };
    if next.is('{') {
        let end = source::behind_bracket(tokens, at);
        at += 1;
        while at + 1 < end {
            at = use_branch(tokens, at, &segments, leaves).max(at + 1);
            if tokens.get(at).is_some_and(|token| token.is(',')) {
                at += 1;
            }
        }
        return end;
    }
    if next.is('*') {
        leaves.push(Leaf { segments, alias: None, is_glob: true, line });
        return at + 1;
    }
    if own.is_empty() {
        return at;
    }
    let mut alias = None;
    if next.word() == Some("as") {
        alias = tokens.get(at + 1).and_then(Token::word).map(str::to_owned);
        at += 2;
    }
    leaves.push(Leaf { segments, alias, is_glob: false, line });
    at
}

/// The path from the crate's root, or `None` for a path into another crate or to a local name.
fn resolve(segments: &[String], module: &[String]) -> Option<Vec<String>> {
    let mut rest = segments;
    let mut base = match segments.first()?.as_str() {
        "crate" => {
            rest = &segments[1..];
            Vec::new()
        }
        "self" => {
            rest = &segments[1..];
            module.to_vec()
        }
        "super" => module.to_vec(),
        _ => return None,
    };
    while let [first, behind @ ..] = rest {
        if first != "super" {
            break;
        }
        base.pop();
        rest = behind;
    }
    // `use crate::x::{self, y}` names `x` itself.
    base.extend(rest.iter().filter(|segment| *segment != "self").cloned());
    Some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&[Source::of(path, text)])
    }

    fn all_paths(text: &str, module: &str) -> Vec<String> {
        let module: Vec<String> = module.split("::").map(str::to_owned).collect();
        paths(&source::tokens(text), &module).into_iter().map(|found| found.segments.join("::")).collect()
    }

    #[test]
    fn a_sibling_import_is_found_with_its_line() {
        let text = "//! Opens records.\n\nuse crate::error::Error;\nuse crate::flight::Inbound;\n";
        assert_eq!(
            findings("crates/proto/src/record/open.rs", text),
            ["crates/proto/src/record/open.rs:4: `record` must not use `flight` (crate::flight::Inbound)"]
        );
    }

    #[test]
    fn the_three_middle_layers_do_not_know_each_other() {
        for (layer, others) in [
            ("record", ["flight", "handshake", "session", "config", "connection", "endpoint"]),
            ("flight", ["record", "handshake", "session", "config", "connection", "endpoint"]),
            ("handshake", ["record", "flight", "connection", "endpoint", "flight", "record"]),
            ("crypto", ["record", "flight", "handshake", "session", "connection", "config"]),
            ("connection", ["endpoint"; 6]),
        ] {
            for other in others {
                let text = format!("fn f() {{ crate::{other}::g() }}");
                assert_eq!(findings(&format!("crates/proto/src/{layer}/a.rs"), &text).len(), 1, "{layer} uses {other}");
            }
        }
    }

    #[test]
    fn lower_layers_may_be_used() {
        let text = "use crate::{crypto::Aead, error::Error}; use gramseal_wire::record::Records; use super::replay;";
        assert_eq!(findings("crates/proto/src/record/open.rs", text), [""; 0]);
        let text = "use crate::{record::RecordLayer, flight, handshake::State, config::ClientConfig};";
        assert_eq!(findings("crates/proto/src/connection/mod.rs", text), [""; 0]);
        let text = "use crate::config::ClientConfig; use crate::session::Ticket;";
        assert_eq!(findings("crates/proto/src/handshake/offer.rs", text), [""; 0]);
    }

    #[test]
    fn super_chains_nested_trees_aliases_and_globs_are_resolved() {
        let path = "crates/proto/src/record/protect/aead.rs";
        assert_eq!(findings(path, "use super::super::super::flight::Ranges;").len(), 1);
        assert_eq!(findings(path, "use super::super::epoch::ReadEpoch;").len(), 0);
        assert_eq!(findings(path, "use crate::{\n error::Error,\n flight::{self as f, ack::*},\n};").len(), 2);
        assert_eq!(findings(path, "use crate::*; use crate::handshake as h;").len(), 1);
        assert_eq!(findings(path, "mod inner { use super::super::super::super::flight::A; }").len(), 1);
        assert_eq!(
            findings(path, "mod inner { fn f() { super::super::g() } } use super::super::super::flight;").len(),
            1
        );
    }

    #[test]
    fn paths_in_expressions_types_and_visibilities_are_seen() {
        assert_eq!(
            all_paths(
                "fn f(a: &crate::x::Y<'_>) -> impl T + use<'_> { <super::z::W as self::v::U>::new(a.self_) }",
                "m::n"
            ),
            ["x::Y", "m::z::W", "m::n::v::U"]
        );
        assert_eq!(all_paths("pub(crate) fn f(self) { self.x(); crate::y!(); std::super_name::z() }", "m"), ["y"]);
        assert_eq!(
            all_paths("use ::core::fmt; use crate::{a, b::{c, d as e}, f::{self}};", "m"),
            ["a", "b::c", "b::d", "f"]
        );
    }

    #[test]
    fn comments_strings_and_test_modules_are_free() {
        let text = "// use crate::flight::A;\n/* crate::flight */ const B: &str = \"crate::flight::C\";\n\
                    #[cfg(test)]\nmod tests { use crate::flight::D; }\n#[cfg(test)] use crate::handshake::E;";
        assert_eq!(findings("crates/proto/src/record/open.rs", text), [""; 0]);
    }

    #[test]
    fn a_shorter_name_from_the_root_hides_nothing() {
        let sources = [
            Source::of(
                "crates/proto/src/lib.rs",
                "mod flight; pub use crate::flight::Inbound; pub use record::{Layer as L};",
            ),
            Source::of("crates/proto/src/record/mod.rs", "use crate::Inbound; use crate::L;"),
        ];
        let found = check(&sources);
        assert_eq!(found, ["crates/proto/src/record/mod.rs:1: `record` must not use `flight` (crate::Inbound)"]);
        assert_eq!(findings("crates/proto/src/lib.rs", "mod flight;\npub use flight::*;").len(), 1);
    }

    #[test]
    fn a_module_without_a_layer_is_reported() {
        assert_eq!(findings("crates/proto/src/helpers.rs", "").len(), 1);
        assert_eq!(findings("crates/proto/src/crypto/mod.rs", "").len(), 0);
        assert_eq!(findings("crates/gramseal/src/helpers.rs", "use crate::flight::A;").len(), 0);
    }
}
