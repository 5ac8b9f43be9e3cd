//! `cargo xtask conformance`: `docs/conformance.md` names only files and tests that exist.
//!
//! The document holds tables with the columns section, rule, where enforced, test and note. Files and tests stand in
//! backticks; a rule without a test, or without a place, says why in its note.

use std::collections::BTreeSet;
use std::path::Path;

use crate::shell::Outcome;
use crate::source::{self, Token};

const DOCUMENT: &str = "docs/conformance.md";
const COLUMNS: [&str; 5] = ["section", "rule", "where enforced", "test", "note"];

pub(crate) fn run(root: &Path) -> Outcome {
    let (rows, mut findings) = parse(&source::read(&root.join(DOCUMENT))?);
    let tests = tests_in(root)?;
    for row in &rows {
        findings.extend(check(row, &|file| root.join(file).is_file(), &tests));
    }
    if rows.is_empty() {
        findings.push(format!("{DOCUMENT}:1: no rule is listed"));
    }
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            let tested = rows.iter().filter(|row| !row.tests.is_empty()).count();
            println!("conformance: {} rules, {tested} with a test", rows.len());
            Ok(())
        }
        count => Err(format!("{count} findings in {DOCUMENT}")),
    }
}

/// One rule of a standard.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    line: usize,
    section: String,
    rule: String,
    files: Vec<String>,
    tests: Vec<String>,
    note: String,
}

/// The rows of every table with our columns, and what is wrong with the tables' form.
fn parse(text: &str) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut findings) = (Vec::new(), Vec::new());
    let mut in_table = false;
    for (number, line) in text.lines().enumerate().map(|(number, line)| (number + 1, line.trim())) {
        let Some(cells) = cells(line) else {
            in_table = false;
            continue;
        };
        if cells.iter().all(|cell| !cell.is_empty() && cell.chars().all(|c| matches!(c, '-' | ':'))) {
            continue;
        }
        if !in_table {
            in_table = true;
            if !cells.iter().map(|cell| cell.to_lowercase()).eq(COLUMNS) {
                findings.push(format!("{DOCUMENT}:{number}: the columns are {}", COLUMNS.join(", ")));
            }
            continue;
        }
        match <[String; 5]>::try_from(cells) {
            Ok([section, rule, files, tests, note]) => {
                let (files, tests) = (code_spans(&files), code_spans(&tests));
                rows.push(Row { line: number, section, rule, files, tests, note });
            }
            Err(cells) => findings.push(format!("{DOCUMENT}:{number}: {} cells in place of 5", cells.len())),
        }
    }
    (rows, findings)
}

/// The cells of a table's line; `\|` is a bar inside a cell.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.strip_prefix('|')?;
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    let mut cells = vec![String::new()];
    let mut characters = inner.chars().peekable();
    while let Some(character) = characters.next() {
        let cell = cells.last_mut().expect("it starts with one cell");
        match character {
            '\\' if characters.next_if_eq(&'|').is_some() => cell.push('|'),
            '|' => cells.push(String::new()),
            other => cell.push(other),
        }
    }
    Some(cells.iter().map(|cell| cell.trim().to_owned()).collect())
}

/// What stands between backticks.
fn code_spans(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn check(row: &Row, file_exists: &dyn Fn(&str) -> bool, tests: &BTreeSet<String>) -> Vec<String> {
    let mut findings = Vec::new();
    let mut find = |what: String| findings.push(format!("{DOCUMENT}:{}: {what}", row.line));
    if row.section.is_empty() || row.rule.is_empty() {
        find("a row names a section and a rule".to_owned());
    }
    for file in row.files.iter().filter(|file| !file_exists(file)) {
        find(format!("there is no file `{file}`"));
    }
    for test in row.tests.iter().filter(|test| !tests.contains(*test)) {
        find(format!("there is no test `{test}`"));
    }
    if row.note.is_empty() && (row.files.is_empty() || row.tests.is_empty()) {
        find("a rule without a file or without a test says why in its note".to_owned());
    }
    findings
}

/// The names of all test functions: those with an attribute that ends in `test`.
fn tests_in(root: &Path) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    for folder in ["crates", "xtask", "interop"] {
        if root.join(folder).is_dir() {
            for path in source::rust_files(&root.join(folder))? {
                names.extend(test_names(&source::tokens(&source::read(&path)?)));
            }
        }
    }
    Ok(names)
}

fn test_names(tokens: &[Token]) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    let mut at = 0;
    while at < tokens.len() {
        if let Some(end) = source::attribute(tokens, at) {
            // `#[test]`, `#[tokio::test]`, `#[tokio::test(flavor = "…")]`, but not `#[cfg(test)]`.
            let path = tokens[at + 2..end].iter().take_while(|token| token.word().is_some() || token.is(':'));
            is_test |= path.last().is_some_and(|token| token.word() == Some("test"));
            at = end;
            continue;
        }
        match tokens[at].word() {
            Some("fn") => {
                if let Some(name) = tokens.get(at + 1).and_then(Token::word).filter(|_| is_test) {
                    names.push(name.to_owned());
                }
                is_test = false;
            }
            // What may stand between an attribute and `fn`; anything else is another item.
            Some("pub" | "async" | "const" | "crate") => {}
            _ if tokens[at].is('(') || tokens[at].is(')') => {}
            _ => is_test = false,
        }
        at += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "| Section | Rule | Where enforced | Test | Note |\n| --- | --- | --- | --- | --- |\n";

    fn findings(row: &str) -> Vec<String> {
        let (rows, mut findings) = parse(&format!("{HEADER}{row}\n"));
        let tests = BTreeSet::from(["a_test".to_owned(), "another".to_owned()]);
        for row in &rows {
            findings.extend(check(row, &|file| file == "crates/a.rs", &tests));
        }
        findings
    }

    #[test]
    fn a_complete_row_passes() {
        assert_eq!(findings("| 4.1 | a \\| b | `crates/a.rs` | `a_test`, `another` | |"), [""; 0]);
        assert_eq!(findings("| 4.1 | a | `crates/a.rs` | | only the caller can know |"), [""; 0]);
        assert_eq!(findings("| 4.1 | a | | | not built: no block ciphers |"), [""; 0]);
    }

    #[test]
    fn absent_files_and_tests_fail() {
        assert_eq!(
            findings("| 4.1 | a | `crates/a.rs`, `crates/b.rs` | `a_test` | |"),
            ["docs/conformance.md:3: there is no file `crates/b.rs`"]
        );
        assert_eq!(
            findings("| 4.1 | a | `crates/a.rs` | `a_test` `gone` | |"),
            ["docs/conformance.md:3: there is no test `gone`"]
        );
    }

    #[test]
    fn a_gap_without_a_reason_fails() {
        for row in
            ["| 4.1 | a | `crates/a.rs` | | |", "| 4.1 | a | | `a_test` | |", "| | a | | | why |", "| 1 | a | b |"]
        {
            assert_eq!(findings(row).len(), 1, "{row}");
        }
    }

    #[test]
    fn other_columns_fail() {
        let (rows, findings) = parse("| Section | Rule |\n| --- | --- |\n");
        assert_eq!((rows.len(), findings.len()), (0, 1));
    }

    #[test]
    fn each_table_has_its_header() {
        let (rows, findings) = parse(&format!("{HEADER}| 1 | a | | | n |\n\ntext\n\n{HEADER}| 2 | b | | | n |\n"));
        assert_eq!(findings, [""; 0]);
        assert_eq!(rows.iter().map(|row| row.section.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn only_test_functions_count() {
        let text = "#[test] fn a() {} fn b() {} #[cfg(test)] fn c() {} // #[test] fn d() {}
            #[tokio::test(flavor = \"x\")] #[ignore] pub(crate) async fn e() {}
            proptest! { #[test] fn f(x in 0..3) {} } const G: &str = \"#[test] fn h() {}\";
            #[test] struct I; fn j() {}";
        assert_eq!(test_names(&source::tokens(text)), ["a", "e", "f"]);
    }
}
