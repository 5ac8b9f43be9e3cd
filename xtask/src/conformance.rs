//! `cargo xtask conformance`: `docs/conformance.md` and `docs/attacks.md` name only files and tests that exist.
//!
//! The documents hold tables, of rules with the columns section, rule, where enforced, test and note, and of attacks
//! with the columns attack, where stopped, bound and test. Files and tests stand in backticks, a test with the file or the
//! folder that it is in where its name alone would mean several: `psk13::a_test`. A rule without a test, or without a
//! place, says why in its note. An attack has all four.

use std::collections::BTreeMap;
use std::path::Path;

use crate::shell::Outcome;
use crate::source::{self, Token};

/// A document, and what its tables look like.
struct Document {
    path: &'static str,
    columns: &'static [&'static str],
    /// Which columns say what the row is about.
    subject: &'static [usize],
    files: usize,
    tests: usize,
    /// The column that may excuse a row without files or tests.
    excuse: Option<usize>,
}

const RULES: Document = Document {
    path: "docs/conformance.md",
    columns: &["section", "rule", "where enforced", "test", "note"],
    subject: &[0, 1],
    files: 2,
    tests: 3,
    excuse: Some(4),
};

const ATTACKS: Document = Document {
    path: "docs/attacks.md",
    columns: &["attack", "where stopped", "bound", "test"],
    subject: &[0, 2],
    files: 1,
    tests: 3,
    excuse: None,
};

pub(crate) fn run(root: &Path) -> Outcome {
    let tests = Tests::of(root)?;
    let mut findings = Vec::new();
    for document in [&RULES, &ATTACKS] {
        let (rows, found) = document.parse(&source::read(&root.join(document.path))?);
        findings.extend(found);
        for row in &rows {
            findings.extend(document.check(row, &|file| root.join(file).is_file(), &tests));
        }
        if rows.is_empty() {
            findings.push(format!("{}:1: nothing is listed", document.path));
        }
        let tested = rows.iter().filter(|row| !code_spans(&row.cells[document.tests]).is_empty()).count();
        println!("{}: {} rows, {tested} with a test", document.path, rows.len());
    }
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        count => Err(format!("{count} findings")),
    }
}

/// One rule of a standard, or one attack.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    line: usize,
    cells: Vec<String>,
}

impl Document {
    /// The rows of every table with our columns, and what is wrong with the tables' form.
    fn parse(&self, text: &str) -> (Vec<Row>, Vec<String>) {
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
                if !cells.iter().map(|cell| cell.to_lowercase()).eq(self.columns.iter().copied()) {
                    findings.push(format!("{}:{number}: the columns are {}", self.path, self.columns.join(", ")));
                }
                continue;
            }
            if cells.len() == self.columns.len() {
                rows.push(Row { line: number, cells });
            } else {
                let count = cells.len();
                findings.push(format!("{}:{number}: {count} cells in place of {}", self.path, self.columns.len()));
            }
        }
        (rows, findings)
    }

    fn check(&self, row: &Row, file_exists: &dyn Fn(&str) -> bool, tests: &Tests) -> Vec<String> {
        let mut findings = Vec::new();
        let mut find = |what: String| findings.push(format!("{}:{}: {what}", self.path, row.line));
        if self.subject.iter().any(|column| row.cells[*column].is_empty()) {
            let wanted: Vec<&str> = self.subject.iter().map(|column| self.columns[*column]).collect();
            find(format!("a row says {}", wanted.join(" and ")));
        }
        let (named_files, named_tests) = (code_spans(&row.cells[self.files]), code_spans(&row.cells[self.tests]));
        for file in named_files.iter().filter(|file| !file_exists(file)) {
            find(format!("there is no file `{file}`"));
        }
        for test in &named_tests {
            match tests.places(test).as_slice() {
                [] => find(format!("there is no test `{test}`, or it is ignored")),
                [_] => {}
                places => find(format!("`{test}` is in {}: say which as `file::test`", places.join(", "))),
            }
        }
        let excused = self.excuse.is_some_and(|column| !row.cells[column].is_empty());
        if !excused && (named_files.is_empty() || named_tests.is_empty()) {
            find("a row without a file or without a test says why, where it may".to_owned());
        }
        findings
    }
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

/// The names of tests, each with the files that have one of that name.
#[derive(Default)]
struct Tests(BTreeMap<String, Vec<String>>);

impl Tests {
    /// Those of every file: functions with an attribute that ends in `test`.
    fn of(root: &Path) -> Result<Self, String> {
        let mut tests = Self::default();
        for folder in ["crates", "xtask", "interop"] {
            if root.join(folder).is_dir() {
                for path in source::rust_files(&root.join(folder))? {
                    let file = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                    tests.add(&file, &source::read(&path)?);
                }
            }
        }
        Ok(tests)
    }

    fn add(&mut self, file: &str, text: &str) {
        for name in test_names(&source::tokens(text)) {
            self.0.entry(name).or_default().push(file.to_owned());
        }
    }

    /// The files with a test that is meant by `named`: its name, behind some of the folders that it is in and its file.
    fn places(&self, named: &str) -> Vec<&str> {
        let (within, name) = named.rsplit_once("::").map_or(("", named), |(within, name)| (within, name));
        let within: Vec<&str> = within.split("::").filter(|part| !part.is_empty()).collect();
        let files = self.0.get(name).into_iter().flatten().map(String::as_str);
        files.filter(|file| within.is_empty() || is_within(file, &within)).collect()
    }
}

/// Whether parts of a path stand in it together.
fn is_within(file: &str, parts: &[&str]) -> bool {
    let path: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    path.windows(parts.len()).any(|window| window == parts)
}

/// The tests that run; one that is ignored proves nothing.
fn test_names(tokens: &[Token]) -> Vec<String> {
    let mut names = Vec::new();
    let (mut is_test, mut is_ignored) = (false, false);
    let mut at = 0;
    while at < tokens.len() {
        if let Some(end) = source::attribute(tokens, at) {
            // `#[test]`, `#[tokio::test]`, `#[tokio::test(flavor = "…")]`, but not `#[cfg(test)]`.
            let path = tokens[at + 2..end].iter().take_while(|token| token.word().is_some() || token.is(':'));
            is_test |= path.last().is_some_and(|token| token.word() == Some("test"));
            is_ignored |= tokens[at..end].iter().any(|token| token.word() == Some("ignore"));
            at = end;
            continue;
        }
        match tokens[at].word() {
            Some("fn") => {
                if let Some(name) = tokens.get(at + 1).and_then(Token::word).filter(|_| is_test && !is_ignored) {
                    names.push(name.to_owned());
                }
                (is_test, is_ignored) = (false, false);
            }
            // What may stand between an attribute and `fn`; anything else is another item.
            Some("pub" | "async" | "const" | "crate") => {}
            _ if tokens[at].is('(') || tokens[at].is(')') => {}
            _ => (is_test, is_ignored) = (false, false),
        }
        at += 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "| Section | Rule | Where enforced | Test | Note |\n| --- | --- | --- | --- | --- |\n";

    fn findings_in(document: &Document, text: &str) -> Vec<String> {
        let (rows, mut findings) = document.parse(text);
        let mut tests = Tests::default();
        for file in ["crates/b/tests/one.rs", "crates/b/tests/many/main.rs"] {
            tests.add(file, "#[test] fn twice() {}");
        }
        tests.add("crates/b/src/c.rs", "#[test] fn a_test() {} #[test] fn another() {}");
        for row in &rows {
            findings.extend(document.check(row, &|file| file == "crates/a.rs", &tests));
        }
        findings
    }

    fn findings(row: &str) -> Vec<String> {
        findings_in(&RULES, &format!("{HEADER}{row}\n"))
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
            ["docs/conformance.md:3: there is no test `gone`, or it is ignored"]
        );
    }

    #[test]
    fn a_name_that_several_tests_have_fails() {
        assert_eq!(
            findings("| 4.1 | a | `crates/a.rs` | `twice` | |"),
            ["docs/conformance.md:3: `twice` is in crates/b/tests/one.rs, crates/b/tests/many/main.rs: \
              say which as `file::test`"]
        );
        for (named, count) in [
            ("one::twice", 0),
            ("many::twice", 0),
            ("tests::many::main::twice", 0),
            ("c::a_test", 0),
            ("b::twice", 1),
            ("c::twice", 1),
            ("b::many::twice", 1),
        ] {
            assert_eq!(findings(&format!("| 4.1 | a | `crates/a.rs` | `{named}` | |")).len(), count, "{named}");
        }
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
        let (rows, findings) = RULES.parse("| Section | Rule |\n| --- | --- |\n");
        assert_eq!((rows.len(), findings.len()), (0, 1));
    }

    #[test]
    fn an_attack_has_a_place_a_bound_and_a_test() {
        let header = "| Attack | Where stopped | Bound | Test |\n| --- | --- | --- | --- |\n";
        let findings = |row: &str| findings_in(&ATTACKS, &format!("{header}{row}\n"));
        assert_eq!(findings("| a | `crates/a.rs` | 0 bytes | `a_test` |"), [""; 0]);
        for row in [
            "| a | `crates/a.rs` | | `a_test` |",
            "| a | `crates/a.rs` | 0 bytes | |",
            "| a | | 0 bytes | `a_test` |",
            "| a | `crates/b.rs` | 0 bytes | `a_test` |",
            "| a | `crates/a.rs` | 0 bytes | `gone` |",
            "| a | `crates/a.rs` | `a_test` |",
        ] {
            assert_eq!(findings(row).len(), 1, "{row}");
        }
    }

    #[test]
    fn each_table_has_its_header() {
        let text = format!("{HEADER}| 1 | a | | | n |\n\ntext\n\n{HEADER}| 2 | b | | | n |\n");
        let (rows, findings) = RULES.parse(&text);
        assert_eq!(findings, [""; 0]);
        assert_eq!(rows.iter().map(|row| row.cells[0].as_str()).collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn only_test_functions_count() {
        let text = "#[test] fn a() {} fn b() {} #[cfg(test)] fn c() {} // #[test] fn d() {}
            #[tokio::test(flavor = \"x\")] pub(crate) async fn e() {}
            #[test] #[ignore = \"x\"] fn k() {} #[cfg_attr(l, ignore)] #[tokio::test] async fn m() {}
            proptest! { #[test] fn f(x in 0..3) {} } const G: &str = \"#[test] fn h() {}\";
            #[test] struct I; fn j() {}";
        assert_eq!(test_names(&source::tokens(text)), ["a", "e", "f"]);
    }
}
