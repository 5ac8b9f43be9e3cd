//! Rust source as tokens: enough to see imports, functions and keywords, with comments and literals gone.
//!
//! Not a parser: it knows brackets, paths, `use` trees, attributes, inline modules and function bodies, and nothing of
//! types or expressions.

use std::fs;
use std::path::{Path, PathBuf};

/// What a token is; literals keep their place but not their content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or keyword, without a leading `r#`.
    Word(String),
    /// One character of punctuation.
    Mark(char),
    /// A string, character or number.
    Literal,
}

/// A token and the line it starts on, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(crate) fn is(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// Splits source text into tokens.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    Lexer { rest: text, line: 1, tokens: Vec::new() }.run()
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn run(mut self) -> Vec<Token> {
        while let Some(first) = self.rest.chars().next() {
            if self.rest.starts_with("//") {
                self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            } else if self.rest.starts_with("/*") {
                self.take(block_comment(self.rest));
            } else if let Some(length) = string_literal(self.rest).or_else(|| character_literal(self.rest)) {
                self.push(Kind::Literal);
                self.take(length);
            } else if first == '_' || first.is_alphabetic() {
                let raw = self.rest.strip_prefix("r#").unwrap_or(self.rest);
                let length = raw.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(raw.len());
                self.push(Kind::Word(raw[..length].to_owned()));
                self.take(self.rest.len() - raw.len() + length);
            } else if first.is_ascii_digit() {
                self.push(Kind::Literal);
                let end = self.rest.find(|c: char| c != '_' && !c.is_alphanumeric());
                self.take(end.unwrap_or(self.rest.len()));
            } else {
                if !first.is_whitespace() {
                    self.push(Kind::Mark(first));
                }
                self.take(first.len_utf8());
            }
        }
        self.tokens
    }

    fn push(&mut self, kind: Kind) {
        self.tokens.push(Token { kind, line: self.line });
    }

    fn take(&mut self, length: usize) {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.rest = rest;
    }
}

/// The length of the block comment at the start; they nest.
fn block_comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of the string literal at the start, if there is one: plain, byte, C or raw.
fn string_literal(text: &str) -> Option<usize> {
    let unprefixed = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - unprefixed.len();
    if prefix > 1 {
        return None;
    }
    if let Some(raw) = unprefixed.strip_prefix('r') {
        let quoted = raw.trim_start_matches('#');
        let hashes = raw.len() - quoted.len();
        let body = quoted.strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = body.find(&end).map_or(body.len(), |at| at + end.len());
        return Some(text.len() - body.len() + length);
    }
    unprefixed.strip_prefix('"')?;
    Some(prefix + 1 + escaped_until(&unprefixed[1..], '"'))
}

/// The length of the character or byte literal at the start; a lifetime is none.
fn character_literal(text: &str) -> Option<usize> {
    let unprefixed = text.strip_prefix('b').unwrap_or(text);
    let prefix = text.len() - unprefixed.len();
    let body = unprefixed.strip_prefix('\'')?;
    let mut characters = body.chars();
    let first = characters.next()?;
    if first != '\\' && characters.next() != Some('\'') {
        return None;
    }
    Some(prefix + 1 + escaped_until(body, '\''))
}

/// The bytes up to and with the closing quote; a backslash hides what follows it.
fn escaped_until(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return at + character.len_utf8();
        }
    }
    text.len()
}

/// The index behind the bracket that closes the one at `open`.
pub(crate) fn behind_bracket(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Mark('(' | '[' | '{') => depth += 1,
            Kind::Mark(')' | ']' | '}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// The tokens without items under `#[cfg(test)]`, and the names of modules that are such an item in a file of their own.
pub(crate) fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let (mut kept, mut files) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let attribute = attribute(tokens, at);
        match attribute {
            Some(end) if is_test_cfg(&tokens[at..end]) => {
                let item_end = behind_item(tokens, end);
                if let Some(name) = module_file(&tokens[end..item_end]) {
                    files.push(name.to_owned());
                }
                at = item_end;
            }
            Some(end) => {
                kept.extend_from_slice(&tokens[at..end]);
                at = end;
            }
            None => {
                kept.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    (kept, files)
}

/// The index behind the outer attribute at `at`, if one starts there.
pub(crate) fn attribute(tokens: &[Token], at: usize) -> Option<usize> {
    let starts = tokens.get(at)?.is('#') && tokens.get(at + 1)?.is('[');
    starts.then(|| behind_bracket(tokens, at + 1))
}

/// `cfg(test)` or `cfg(all(test, …))`: what any other build does not contain.
fn is_test_cfg(attribute: &[Token]) -> bool {
    let words: Vec<&str> = attribute.iter().filter_map(Token::word).collect();
    matches!(words.as_slice(), ["cfg", "test"] | ["cfg", "all", "test", ..])
}

fn behind_item(tokens: &[Token], start: usize) -> usize {
    const ITEMS: [&str; 13] = [
        "async",
        "const",
        "enum",
        "extern",
        "fn",
        "impl",
        "macro_rules",
        "mod",
        "static",
        "struct",
        "trait",
        "type",
        "use",
    ];
    // A comma ends a field, a variant or an argument, but stands inside the generics of an item.
    let mut comma_ends = true;
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        at = match &token.kind {
            Kind::Mark(';') => return at + 1,
            Kind::Mark(',') if comma_ends => return at + 1,
            Kind::Word(word) if ITEMS.contains(&word.as_str()) => {
                comma_ends = false;
                at + 1
            }
            Kind::Mark('{') => return behind_bracket(tokens, at),
            Kind::Mark('(' | '[') => behind_bracket(tokens, at),
            // The end of the block that the item stands in.
            Kind::Mark(')' | ']' | '}') => return at,
            _ => at + 1,
        };
    }
    at
}

/// The name in `mod name;`, whatever attributes and visibility stand before it.
fn module_file(item: &[Token]) -> Option<&str> {
    let at = item.iter().position(|token| token.word() == Some("mod"))?;
    let name = item.get(at + 1)?.word()?;
    item.get(at + 2)?.is(';').then_some(name)
}

/// Every `.rs` file under the folder, in order of its path; build output and hidden folders left out.
pub(crate) fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries {
            let path = entry.map_err(|error| format!("{}: {error}", folder.display()))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Reads a file; the error names it.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).iter().filter_map(|token| token.word().map(str::to_owned)).collect()
    }

    #[test]
    fn comments_and_literals_hide_their_words() {
        let text = r####"
            a // b
            /* c /* d */ e */ f "g \" h" i r#"j " k"# l b"m" 'n' b'o' '\'' '"' p 'q r#type br##"s"# t"## 0x1f_u8 u
        "####;
        assert_eq!(words(text), ["a", "f", "i", "l", "p", "q", "type", "u"]);
    }

    #[test]
    fn a_lifetime_is_not_a_character() {
        assert_eq!(words("fn f<'a>(x: &'a str, y: &'_ u8) -> char { 'b' }").last().map(String::as_str), Some("char"));
    }

    #[test]
    fn lines_count_through_comments_and_strings() {
        let all = tokens("/* \n */ \"\n\n\" a\nb");
        let lines: Vec<usize> = all.iter().filter(|token| token.word().is_some()).map(|token| token.line).collect();
        assert_eq!(lines, [4, 5]);
    }

    #[test]
    fn test_items_are_removed_and_others_stay() {
        let text = "
            #[cfg(test)] use a::b;
            #[cfg(test)] #[derive(Debug)] struct C { d: u8 }
            #[cfg(feature = \"std\")] mod e { fn f() {} }
            #[cfg(any(test, feature = \"std\"))] extern crate g;
            #[cfg(all(test, unix))] mod h { fn i() { if j {} } }
            #[cfg(test)] pub(crate) mod k;
            #[cfg(test)] impl Into<A, B> for D { const E: [u8; 2] = [1, 2]; }
            fn l() {}";
        let (kept, files) = without_tests(&tokens(text));
        let kept: Vec<&str> = kept.iter().filter_map(Token::word).collect();
        let expected =
            ["cfg", "feature", "mod", "e", "fn", "f", "cfg", "any", "test", "feature", "extern", "crate", "g"];
        assert_eq!(kept[..13], expected);
        assert_eq!(kept[13..], ["fn", "l"]);
        assert_eq!(files, ["k"]);
    }
}
