//! Which types of a crate could print bytes, as its sources say.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The public types in the sources under `folder` whose `Debug` is written by hand, or derived around bytes. What is derived
/// around anything else prints what other types print.
///
/// # Panics
/// If the sources cannot be read.
#[must_use]
pub fn types_that_could_print_bytes(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("a folder that can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.extend(types_in(&fs::read_to_string(&path).expect("a source")));
            }
        }
    }
    found
}

/// Those of one file, in the form that rustfmt gives it.
fn types_in(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(declared) = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub enum ")) else {
            continue;
        };
        let name = words(declared).next().unwrap_or_default();
        let end = lines[at..].iter().position(|line| line.ends_with(';') || *line == "}").unwrap_or(0);
        let has_bytes = lines[at..=at + end].iter().any(|line| words(code(line)).any(|word| word == "u8"));
        let attributes = lines[..at].iter().rev().take_while(|line| !line.is_empty());
        let is_derived = attributes.map(|line| words(code(line))).any(|mut words| words.any(|word| word == "Debug"));
        let by_hand = text.split("Debug for ").skip(1).any(|rest| words(rest).next() == Some(name));
        if by_hand || is_derived && has_bytes {
            found.push(name.to_owned());
        }
    }
    found
}

/// A line without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c != '_' && !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::types_in;

    #[test]
    fn types_with_bytes_or_a_debug_of_their_own_are_found() {
        let text = "
#[derive(Debug, Clone)]
pub struct One {
    a: Vec<u8>,
}

/// Debug of u8.
#[derive(Clone)]
pub struct Two([u8; 4]);

#[derive(Debug)]
pub enum Three {
    // No u8.
    A(Two),
}

pub struct Four<'a>(&'a str);

impl fmt::Debug for Four<'_> {}

#[derive(Debug)]
pub struct Five(pub(crate) [u8; 4]);

#[derive(Debug)]
struct Six(u8);

#[cfg(test)]
mod tests {
    #[derive(Debug)]
    pub struct Seven(u8);
}
";
        assert_eq!(types_in(text), ["One", "Four", "Five"]);
    }
}
