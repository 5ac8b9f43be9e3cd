//! A search for secrets in text, in every way in which Rust prints bytes.

mod sources;

use std::any::type_name;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Mutex;

use gramseal_proto::KeyLog;
pub use sources::types_that_could_print_bytes;

/// So many bytes of a secret in a row are found.
const WINDOW: usize = 6;

type Window = [u8; WINDOW];

/// Secrets that must not be in what is printed. As a key log it takes those of connections.
#[derive(Default)]
pub struct Secrets(Mutex<Known>);

#[derive(Default)]
struct Known {
    secrets: Vec<(String, Vec<u8>)>,
    /// What is looked for, and of which secret it is.
    windows: HashMap<Window, usize>,
    /// The types of what was looked at, with the paths that the compiler gives them.
    types: BTreeSet<&'static str>,
}

impl Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("count", &self.len()).finish()
    }
}

impl KeyLog for Secrets {
    fn log(&self, label: &str, _: &[u8; 32], secret: &[u8]) {
        self.add(label, secret);
    }
}

impl Secrets {
    /// Adds a secret, of some bytes.
    ///
    /// # Panics
    /// If another thread panicked.
    pub fn add(&self, name: &str, secret: &[u8]) {
        let mut known = self.0.lock().expect("not poisoned");
        if known.secrets.iter().any(|(_, other)| other == secret) {
            return;
        }
        let index = known.secrets.len();
        known.secrets.push((name.to_owned(), secret.to_vec()));
        let windows = secret.array_windows_of().filter(is_telling);
        known.windows.extend(windows.map(|window| (window, index)));
    }

    /// How many there are.
    ///
    /// # Panics
    /// If another thread panicked.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().expect("not poisoned").secrets.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of a secret that is in `text`, whole or in part.
    ///
    /// # Panics
    /// If another thread panicked.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<String> {
        let known = self.0.lock().expect("not poisoned");
        let mut windows = byte_strings(text).into_iter().flat_map(|bytes| bytes.array_windows_of().collect::<Vec<_>>());
        let index = windows.find_map(|window| known.windows.get(&window).copied())?;
        known.secrets.get(index).map(|(name, _)| name.clone())
    }

    /// Prints `value` in both forms of `Debug`.
    ///
    /// # Panics
    /// If a secret is in there.
    #[track_caller]
    pub fn assert_hidden<T: Debug + ?Sized>(&self, value: &T) {
        let text = format!("{value:?}");
        self.assert_hidden_in(&text);
        self.assert_hidden_in(&format!("{value:#?}"));
        // Of that there was nothing to see.
        if text != "None" {
            self.0.lock().expect("not poisoned").types.insert(type_name::<T>());
        }
    }

    /// The names of a crate's types that were looked at by themselves, not as parts of others.
    ///
    /// # Panics
    /// If another thread panicked.
    #[must_use]
    pub fn types_of(&self, name_of_crate: &str) -> BTreeSet<String> {
        let known = self.0.lock().expect("not poisoned");
        let paths =
            known.types.iter().flat_map(|name| name.split(|c: char| c != ':' && c != '_' && !c.is_alphanumeric()));
        let ours = paths.filter(|path| path.split("::").next() == Some(name_of_crate));
        ours.filter_map(|path| path.rsplit("::").next()).map(str::to_owned).collect()
    }

    /// The same of any text.
    ///
    /// # Panics
    /// If a secret is in there.
    #[track_caller]
    pub fn assert_hidden_in(&self, text: &str) {
        if let Some(name) = self.find(text) {
            panic!("{name} is in {text}");
        }
    }
}

/// All that `text` could mean as bytes.
fn byte_strings(text: &str) -> Vec<Vec<u8>> {
    let dense: String = text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let mut found = vec![text.as_bytes().to_vec(), unescaped(text)];
    for run in dense.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= 2 * WINDOW) {
        // It may begin behind another digit.
        found.extend([run, &run[1..]].map(pairs));
    }
    for separator in [',', ':'] {
        found.extend(lists(&dense, separator, |item| item.parse().ok()));
        found.extend(lists(&dense, separator, |item| {
            let digits = item.strip_prefix("0x").unwrap_or(item);
            u8::from_str_radix(digits, 16).ok().filter(|_| digits.len() <= 2)
        }));
    }
    found
}

/// Digits two by two.
fn pairs(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks_exact(2)
        .filter_map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

/// Lists of numbers in one form, whatever stands around them.
fn lists(text: &str, separator: char, number: impl Fn(&str) -> Option<u8>) -> Vec<Vec<u8>> {
    let mut found = vec![Vec::new()];
    for item in text.split(separator) {
        let (first, last) = (item.split(is_mark).next(), item.split(is_mark).next_back());
        // The end of one list, if it is not all of the item, and perhaps the beginning of another.
        let list = found.last_mut().expect("it starts with one");
        list.extend(first.and_then(&number));
        if first.is_none_or(|first| first.len() < item.len() || number(first).is_none()) {
            found.push(last.and_then(&number).into_iter().collect());
        }
    }
    found
}

fn is_mark(c: char) -> bool {
    !c.is_ascii_alphanumeric()
}

/// With every `\xNN`, `\n` and their like as the byte that it stands for.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'\\', [b'x', high, low, after @ ..]) => {
                bytes.extend(pairs(&String::from_utf8_lossy(&[*high, *low])));
                rest = after;
            }
            (b'\\', [letter, after @ ..]) => {
                bytes.push(match letter {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'0' => 0,
                    other => *other,
                });
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    bytes
}

/// All windows of some bytes.
trait Windows {
    fn array_windows_of(&self) -> impl Iterator<Item = Window>;
}

impl Windows for [u8] {
    fn array_windows_of(&self) -> impl Iterator<Item = Window> {
        self.windows(WINDOW).filter_map(|window| window.try_into().ok())
    }
}

/// Whether bytes could only be there as part of a secret: not, if they are nearly all alike.
fn is_telling(bytes: &Window) -> bool {
    let mut sorted = bytes.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.len() > WINDOW / 2
}

#[cfg(test)]
mod tests {
    use super::Secrets;

    const SECRET: [u8; 16] = *b"\xFE\x01s3cret\x00\x9A w0rds";

    #[test]
    fn a_secret_is_found_in_every_form() {
        let secrets = Secrets::default();
        secrets.add("it", &SECRET);
        let hex: String = SECRET.iter().map(|byte| format!("{byte:02X}")).collect();
        for text in [
            format!("{SECRET:?}"),
            format!("{SECRET:#?}"),
            format!("{SECRET:x?}"),
            format!("{SECRET:02X?}"),
            format!("{SECRET:#04x?}"),
            format!("key: {:?}", &SECRET[5..12]),
            hex.clone(),
            format!("x{}y", &hex[8..24]),
            SECRET.escape_ascii().to_string(),
            String::from_utf8_lossy(&SECRET).into_owned(),
        ] {
            assert_eq!(secrets.find(&text).as_deref(), Some("it"), "{text}");
        }
    }

    #[test]
    fn what_was_looked_at_is_known() {
        let secrets = Secrets::default();
        secrets.assert_hidden(&None::<Secrets>);
        assert!(secrets.types_of("gramseal_testkit").is_empty());
        secrets.assert_hidden(&Some(&std::sync::Arc::new(Secrets::default())));
        assert_eq!(secrets.types_of("gramseal_testkit").into_iter().collect::<Vec<_>>(), ["Secrets"]);
        assert!(secrets.types_of("gramseal").is_empty());
    }

    #[test]
    fn other_text_has_none() {
        let secrets = Secrets::default();
        secrets.add("it", &SECRET);
        secrets.add("zeros", &[0; 32]);
        for text in ["", "key: 16 bytes", "[0, 0, 0, 0, 0, 0, 0, 0]", "[254, 1, 115, 51]"] {
            assert_eq!(secrets.find(text), None, "{text}");
        }
        assert_eq!((secrets.len(), secrets.is_empty()), (2, false));
    }
}
