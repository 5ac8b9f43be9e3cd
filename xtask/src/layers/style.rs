//! What one file may hold: its length, its functions' lengths, no `unsafe`, no syntax newer than its crate promises.

use super::Source;
use crate::source::{self, Kind, Token};

const FILE_LINES: usize = 700;
const FUNCTION_LINES: usize = 80;

/// Crates that promise Rust 1.85, which has no chains of `let` conditions. (The compiler takes them in edition 2024
/// whatever `rust-version` says, and an old compiler is seldom at hand.)
const WITHOUT_LET_CHAINS: [&str; 2] = ["crates/wire/", "crates/proto/"];

pub(super) fn check(source: &Source) -> Vec<String> {
    let at = |line: usize| format!("{}:{line}", source.path);
    let mut findings = Vec::new();
    if source.lines > FILE_LINES {
        findings.push(format!("{}: {} lines; a file has at most {FILE_LINES}", at(FILE_LINES + 1), source.lines));
    }
    for (name, line, length) in functions(&source.shipped) {
        if length > FUNCTION_LINES {
            findings
                .push(format!("{}: `{name}` has {length} lines; a function has at most {FUNCTION_LINES}", at(line)));
        }
    }
    if source.path.starts_with("crates/") {
        for token in source.tokens.iter().filter(|token| token.word() == Some("unsafe")) {
            findings.push(format!("{}: `unsafe` is forbidden", at(token.line)));
        }
    }
    if WITHOUT_LET_CHAINS.iter().any(|folder| source.path.starts_with(folder)) {
        for line in let_chains(&source.tokens) {
            findings
                .push(format!("{}: a chain of `let` conditions needs Rust 1.88; this crate promises 1.85", at(line)));
        }
    }
    findings
}

/// Each function with a body: its name, its line, and how many lines it has from `fn` to the closing brace.
fn functions(tokens: &[Token]) -> Vec<(&str, usize, usize)> {
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let [keyword, name] = pair else { continue };
        let (Some("fn"), Some(name)) = (keyword.word(), name.word()) else { continue };
        let mut body = at + 2;
        while let Some(token) = tokens.get(body) {
            body = match token.kind {
                Kind::Mark('(' | '[') => source::behind_bracket(tokens, body),
                Kind::Mark('{' | ';') => break,
                _ => body + 1,
            };
        }
        if tokens.get(body).is_some_and(|token| token.is('{')) {
            let end = source::behind_bracket(tokens, body);
            let last = tokens.get(end - 1).map_or(keyword.line, |token| token.line);
            found.push((name, keyword.line, last - keyword.line + 1));
        }
    }
    found
}

/// Lines with an `if` or `while` whose condition holds `let` and a top-level `&&`.
fn let_chains(tokens: &[Token]) -> Vec<usize> {
    let mut found = Vec::new();
    for (start, token) in tokens.iter().enumerate() {
        if !matches!(token.word(), Some("if" | "while")) {
            continue;
        }
        let (mut has_let, mut has_and) = (false, false);
        let mut at = start + 1;
        while let Some(next) = tokens.get(at) {
            match next.kind {
                // A match arm's guard ends at its arrow, everything else at its block.
                Kind::Mark('{' | ';') => break,
                Kind::Mark('=') if tokens.get(at + 1).is_some_and(|token| token.is('>')) => break,
                Kind::Mark('(' | '[') => {
                    at = source::behind_bracket(tokens, at);
                    continue;
                }
                Kind::Word(ref word) => has_let |= word == "let",
                // After `let` or `=` two ampersands are two references.
                Kind::Mark('&') => {
                    let both = tokens.get(at + 1).is_some_and(|token| token.is('&'));
                    let reference = tokens[at - 1].is('=') || tokens[at - 1].word() == Some("let");
                    has_and |= both && !reference;
                }
                _ => {}
            }
            at += 1;
        }
        if has_let && has_and {
            found.push(token.line);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&Source::of(path, text))
    }

    #[test]
    fn unsafe_is_found_outside_comments_and_strings() {
        let text = "#![forbid(unsafe_code)]\n// unsafe\nconst A: &str = \"unsafe\";\nfn f() { unsafe { g() } }";
        assert_eq!(findings("crates/wire/src/a.rs", text), ["crates/wire/src/a.rs:4: `unsafe` is forbidden"]);
        assert_eq!(findings("crates/wire/src/a.rs", "#[cfg(test)] mod t { unsafe fn f() {} }").len(), 1);
    }

    #[test]
    fn a_long_function_is_found_unless_it_is_a_test() {
        let body = "    g();\n".repeat(79);
        let text = format!("fn short() {{}}\nfn long<T: Into<[u8; 2]>>(a: [u8; 3]) -> u8 {{\n{body}}}\n");
        assert_eq!(
            findings("crates/wire/src/a.rs", &text),
            ["crates/wire/src/a.rs:2: `long` has 81 lines; a function has at most 80"]
        );
        let fitting = text.replacen("    g();\n", "", 1);
        assert_eq!(findings("crates/wire/src/a.rs", &fitting), [""; 0]);
        assert_eq!(findings("crates/wire/src/a.rs", &format!("#[cfg(test)]\nmod tests {{ {text} }}")), [""; 0]);
    }

    #[test]
    fn a_trait_method_without_body_has_no_length() {
        let text = format!("trait T {{ fn a(&self) -> u8;\n{} fn b(&self); }}", "\n".repeat(90));
        assert_eq!(findings("crates/wire/src/a.rs", &text), [""; 0]);
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(findings("crates/wire/src/a.rs", &"\n".repeat(700)), [""; 0]);
        assert_eq!(findings("crates/wire/src/a.rs", &"\n".repeat(701)).len(), 1);
    }

    #[test]
    fn let_chains_are_found_only_where_they_are_too_new() {
        let chain = "fn f() { if let Some(a) = b && a > 1 { c() } }";
        assert_eq!(findings("crates/proto/src/a.rs", chain).len(), 1);
        assert_eq!(findings("crates/cli/src/a.rs", chain), [""; 0]);
        assert_eq!(findings("crates/proto/src/a.rs", "fn f() { while a && let Some(b) = c() {} }").len(), 1);
        for fine in [
            "fn f() { if let Some(a) = b { if c && d {} } }",
            "fn f() { if let Some(a) = (b && c).then(d) {} }",
            "fn f() { if let &&a = b {} while let Some(a) = &&b {} }",
            "fn f() { match a { B(c) if c && d => { let e = 1; } _ => {} } }",
            "fn f() { if a && b { let c = d && e; } }",
        ] {
            assert_eq!(findings("crates/proto/src/a.rs", fine), [""; 0], "{fine}");
        }
    }
}
