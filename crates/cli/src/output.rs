//! Where lines go: results to standard output, status to standard error, JSON if asked for.
//!
//! Colour appears on terminals only, and not where `NO_COLOR` is set: `anstream` takes it out
//! elsewhere. Text from peers never reaches a terminal with its control characters.

use std::borrow::Cow;
use std::fmt;
use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::hex;

/// Who sent it: the client.
pub(crate) const CLIENT: Style = AnsiColor::Cyan.on_default();
/// Who sent it: the server.
pub(crate) const SERVER: Style = AnsiColor::Green.on_default();
/// Worth a look.
pub(crate) const NOTICE: Style = AnsiColor::Yellow.on_default();
const ERROR: Style = AnsiColor::Red.on_default().bold();

/// The two streams, and the form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    verbose: bool,
}

impl Output {
    pub(crate) fn new(json: bool, verbose: bool) -> Self {
        Self { json, verbose }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// A result: `object` as JSON or `text` for people, on standard output.
    pub(crate) fn result(self, object: &impl Serialize, text: impl fmt::Display) {
        if self.json {
            self.object(object);
        } else {
            // Nobody is left to tell when standard output is closed.
            let _ = writeln!(anstream::stdout().lock(), "{text}");
        }
    }

    /// A status line: as JSON it is a result, for people it goes to standard error.
    pub(crate) fn status(self, object: &impl Serialize, text: impl fmt::Display) {
        if self.json {
            self.object(object);
        } else {
            note(text);
        }
    }

    /// What only `-v` shows.
    pub(crate) fn detail(self, text: impl fmt::Display) {
        if self.verbose {
            note(text);
        }
    }

    fn object(self, object: &impl Serialize) {
        let line = serde_json::to_string(object).expect("our own values have JSON forms");
        let _ = writeln!(std::io::stdout().lock(), "{line}");
    }
}

/// One line on standard error.
pub(crate) fn note(text: impl fmt::Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// One line on standard error about what goes on all the same.
pub(crate) fn warn(text: impl fmt::Display) {
    note(format_args!("{NOTICE}warning{NOTICE:#}: {text}"));
}

/// The one line that says why the program ends.
pub(crate) fn error(text: impl fmt::Display) {
    note(format_args!("{ERROR}error{ERROR:#}: {text}"));
}

/// A received datagram on standard output, as one line and as it is; on a terminal, made harmless.
pub(crate) fn payload(bytes: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    let text = if stdout.is_terminal() { Cow::Owned(printable(bytes).into_bytes()) } else { Cow::Borrowed(bytes) };
    let _ = stdout.write_all(&text).and_then(|()| stdout.write_all(b"\n")).and_then(|()| stdout.flush());
}

/// `bytes` as text without control characters, or in hex where they are no text.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else { return format!("0x{}", hex::encode(bytes)) };
    text.chars().fold(String::with_capacity(text.len()), |mut printable, character| {
        // Marks of direction can make a line read otherwise than it is (Unicode UAX #9 §2).
        let directional = matches!(character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || directional || matches!(character, '\u{2028}' | '\u{2029}') {
            printable.extend(character.escape_unicode());
        } else {
            printable.push(character);
        }
        printable
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_give_terminals_no_commands() {
        assert_eq!(printable("Zoë\u{1b}[2J\n".as_bytes()), "Zoë\\u{1b}[2J\\u{a}");
        assert_eq!(printable("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(printable(&[0xff, 0x00]), "0xff00");
    }
}
