//! No type that keeps secrets derives what would show them, or compare them in a time that tells something of them.
//!
//! `Zeroizing` has both from what it wraps: its `Debug` prints every byte, its `==` stops at the first that differs.

use super::Source;
use crate::source::{self, Token};

/// What wraps a secret.
const WRAPPERS: [&str; 2] = ["Zeroizing", "SecretArray"];

/// What must not be derived around one.
const TRAITS: [&str; 5] = ["Debug", "PartialEq", "PartialOrd", "Ord", "Hash"];

pub(super) fn check(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    let mut derived = Vec::new();
    let mut at = 0;
    while let Some(token) = source.shipped.get(at) {
        if let Some(end) = source::attribute(&source.shipped, at) {
            derived.extend(derives(&source.shipped[at..end]));
            at = end;
            continue;
        }
        at += 1;
        match token.word() {
            Some("struct" | "enum" | "union") => {
                let end = behind_type(&source.shipped, at);
                let words: Vec<&str> = source.shipped[at..end].iter().filter_map(Token::word).collect();
                if words.iter().any(|word| WRAPPERS.contains(word)) {
                    let name = words.first().unwrap_or(&"?");
                    findings.extend(derived.iter().map(|what| {
                        let line = token.line;
                        format!("{}:{line}: `{name}` holds a secret and derives `{what}`", source.path)
                    }));
                }
                derived.clear();
            }
            // Visibility stands between the attributes and the item.
            Some("pub" | "crate" | "super" | "in" | "self") => {}
            _ if token.is('(') || token.is(')') => {}
            _ => derived.clear(),
        }
    }
    findings
}

/// Which of the traits an attribute derives, with a condition or without.
fn derives(attribute: &[Token]) -> Vec<&'static str> {
    let words: Vec<&str> = attribute.iter().filter_map(Token::word).collect();
    let is_derive = words.contains(&"derive");
    TRAITS.into_iter().filter(|name| is_derive && words.contains(name)).collect()
}

/// The index behind the type whose name is at `start`: behind its fields, or its semicolon.
fn behind_type(tokens: &[Token], start: usize) -> usize {
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        if token.is('{') {
            return source::behind_bracket(tokens, at);
        }
        if token.is(';') {
            return at;
        }
        at = if token.is('(') { source::behind_bracket(tokens, at) } else { at + 1 };
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        check(&Source::of("crates/proto/src/a.rs", text))
    }

    #[test]
    fn what_shows_or_compares_secrets_is_not_derived() {
        assert_eq!(
            findings("#[derive(Clone, Debug)]\npub(crate) struct A { b: Zeroizing<Vec<u8>> }"),
            ["crates/proto/src/a.rs:2: `A` holds a secret and derives `Debug`"]
        );
        for (text, count) in [
            ("#[derive(Debug, PartialEq)] struct A(Zeroizing<[u8; 4]>);", 2),
            ("#[derive(PartialEq, Eq)] #[repr(u8)] enum A { B, C { d: Box<SecretArray<4>> } }", 1),
            ("#[cfg_attr(b, derive(Debug))] pub struct A<T> where T: C { d: zeroize::Zeroizing<T> }", 1),
            ("#[derive(Clone)] struct A(Zeroizing<[u8; 4]>);", 0),
            ("#[derive(Debug)] struct A { b: SecretBytes }", 0),
            ("#[derive(Debug)] struct A; struct B(Zeroizing<u8>);", 0),
            ("#[derive(Debug)] struct A { b: u8 } fn c() -> Zeroizing<u8> {}", 0),
            ("#[cfg(test)] #[derive(Debug)] struct A(Zeroizing<u8>);", 0),
        ] {
            assert_eq!(findings(text).len(), count, "{text}");
        }
    }
}
