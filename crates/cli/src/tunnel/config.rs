//! The configuration file: tables of tunnels whose keys are the options of the command line.
//!
//! Each table is made into an argument list and read by the same parser as the command line, so that every option is a
//! key, with the same rules and the same errors. What is added here is the line to each error.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Args, Command, FromArgMatches, ValueHint};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::plan::{ClientPlan, Plan, ServerPlan};
use super::socket;
use crate::args::{ServiceArgs, TunnelServerArgs};
use crate::failure::{About, Failure};

/// A configuration file that is right.
pub(super) struct Config {
    pub(super) service: ServiceArgs,
    pub(super) plans: Vec<Plan>,
    /// What is right, but may not be meant.
    pub(super) warnings: Vec<Fault>,
}

/// Finds the plan that a server runs by now, if there is one with these options' address.
pub(super) type Before<'b> = &'b dyn Fn(&TunnelServerArgs) -> Option<Arc<ServerPlan>>;

/// Something that is wrong with one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) file: PathBuf,
    /// The first line is 1; `None` if it is about the file as a whole.
    pub(crate) line: Option<usize>,
    pub(crate) reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file.display(), self.reason),
            None => write!(f, "{}: {}", self.file.display(), self.reason),
        }
    }
}

/// Reads `file` and all files that it names.
///
/// # Errors
/// Everything that is wrong, in the order of lines.
pub(super) fn read(file: &Path, before: Before<'_>) -> Result<Config, Vec<Fault>> {
    let whole = |reason: String| vec![Fault { file: file.to_owned(), line: None, reason }];
    let text = std::fs::read(file).map_err(|error| whole(error.to_string()))?;
    let text = String::from_utf8(text).map_err(|_| whole("is no text".to_owned()))?;
    let mut reader = Reader { file, text: &text, faults: Vec::new() };
    let config = reader.config(before);
    let mut faults = reader.faults;
    faults.sort_by_key(|fault| fault.line);
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(faults),
    }
}

struct Reader<'t> {
    file: &'t Path,
    text: &'t str,
    faults: Vec<Fault>,
}

/// A table, where it begins, and what it says.
struct Table<'t> {
    span: Range<usize>,
    entries: Vec<Entry<'t>>,
}

struct Entry<'t> {
    key: &'t str,
    span: Range<usize>,
    value: &'t DeValue<'t>,
}

/// A key whose value is on an argument list now.
struct Given {
    key: String,
    span: Range<usize>,
    /// As the command line has it.
    value: String,
}

/// A plan, and where it comes from.
struct Planned {
    plan: Plan,
    span: Range<usize>,
    given: Vec<Given>,
}

/// Where the key stands that something is `about`; where the table begins if that is not known.
fn place<'g>(span: &'g Range<usize>, given: &'g [Given], about: Option<&About>) -> &'g Range<usize> {
    let is_about = |given: &&Given| match about {
        Some(About::Option(option)) => given.key == *option,
        Some(About::File(file)) => Path::new(&given.value) == file,
        None => false,
    };
    given.iter().find(is_about).map_or(span, |given| &given.span)
}

impl Reader<'_> {
    fn fault(&mut self, span: &Range<usize>, reason: impl fmt::Display) {
        self.faults.push(self.at(span, reason));
    }

    fn at(&self, span: &Range<usize>, reason: impl fmt::Display) -> Fault {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        let line = Some(1 + before.iter().filter(|byte| **byte == b'\n').count());
        Fault { file: self.file.to_owned(), line, reason: reason.to_string() }
    }

    fn config(&mut self, before: Before<'_>) -> Option<Config> {
        let text = self.text;
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            self.fault(&error.span().unwrap_or_default(), error.message());
        }
        if !errors.is_empty() {
            return None;
        }
        let (mut service, mut clients, mut servers) = (Vec::new(), Vec::new(), Vec::new());
        for entry in entries(document.get_ref()) {
            match entry.key {
                "client" => clients = self.tables(&entry),
                "server" => servers = self.tables(&entry),
                _ => service.push(entry),
            }
        }
        let service = self.parse::<ServiceArgs>(&Table { span: 0..0, entries: service });
        let mut plans = Vec::new();
        for table in clients {
            let Some((args, given)) = self.parse(&table) else { continue };
            plans.extend(self.planned(table.span, given, ClientPlan::new(args).map(Plan::Client)));
        }
        for table in servers {
            let Some((args, given)) = self.parse(&table) else { continue };
            let before = before(&args);
            plans.extend(self.planned(table.span, given, ServerPlan::new(args, before.as_deref()).map(Plan::Server)));
        }
        self.conflicts(&plans);
        if plans.is_empty() && self.faults.is_empty() {
            self.fault(&(0..0), "there is no tunnel: neither [[client]] nor [[server]]");
        }
        let warnings = |Planned { plan, span, given }: &Planned| {
            let warnings = plan.warnings().into_iter();
            warnings.map(|warning| self.at(place(span, given, warning.about.as_ref()), &warning)).collect::<Vec<_>>()
        };
        let warnings = plans.iter().flat_map(warnings).collect();
        Some(Config { service: service?.0, plans: plans.into_iter().map(|planned| planned.plan).collect(), warnings })
    }

    /// The tables of `[[client]]` or `[[server]]`.
    fn tables<'t>(&mut self, entry: &Entry<'t>) -> Vec<Table<'t>> {
        let Some(array) = entry.value.as_array() else {
            self.fault(&entry.span, format_args!("tables are expected: [[{}]]", entry.key));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for element in array.iter() {
            match element.get_ref().as_table() {
                Some(table) => tables.push(Table { span: element.span(), entries: entries(table) }),
                None => self.fault(&element.span(), format_args!("a table is expected: [[{}]]", entry.key)),
            }
        }
        tables
    }

    /// Reads a table as options, if it can be.
    fn parse<A: Args + FromArgMatches>(&mut self, table: &Table<'_>) -> Option<(A, Vec<Given>)> {
        let mut command = A::augment_args(Command::new("table").no_binary_name(true));
        command = command.disable_help_flag(true).disable_version_flag(true).args_override_self(false);
        command.build();
        let faults = self.faults.len();
        let mut given = Vec::new();
        for entry in &table.entries {
            match command.get_arguments().find(|arg| arg.get_long() == Some(entry.key)) {
                Some(arg) => self.arguments(arg, entry, &mut given),
                None => self.fault(&entry.span, format_args!("unknown key `{}`", entry.key)),
            }
        }
        let list = given.iter().map(|given| match given.value.as_str() {
            "" => format!("--{}", given.key),
            value => format!("--{}={value}", given.key),
        });
        let parsed = command.try_get_matches_from(list).and_then(|matches| A::from_arg_matches(&matches));
        match parsed {
            // A key that is unknown, or of another type, may well be the one that is missing.
            Ok(args) if self.faults.len() == faults => Some((args, given)),
            Ok(_) => None,
            Err(error) => {
                if self.faults.len() == faults {
                    self.refused(&error, table, &given);
                }
                None
            }
        }
    }

    /// The arguments that one key stands for.
    fn arguments(&mut self, arg: &Arg, entry: &Entry<'_>, given: &mut Vec<Given>) {
        let takes_value = arg.get_action().takes_values();
        let values: Vec<&DeValue<'_>> = match entry.value {
            DeValue::Array(values) => values.iter().map(Spanned::get_ref).collect(),
            value => vec![value],
        };
        for value in values {
            let value = match value {
                DeValue::Boolean(true) if !takes_value => String::new(),
                DeValue::Boolean(false) if !takes_value => continue,
                DeValue::String(text) if takes_value => self.relative(arg, text),
                DeValue::Integer(number) if takes_value && number.radix() == 10 => number.as_str().replace('_', ""),
                DeValue::Float(number) if takes_value => number.as_str().replace('_', ""),
                _ if takes_value => {
                    return self.fault(&entry.span, format_args!("`{}`: a text or a number is expected", entry.key));
                }
                _ => return self.fault(&entry.span, format_args!("`{}`: true or false is expected", entry.key)),
            };
            if takes_value && value.is_empty() {
                return self.fault(&entry.span, format_args!("`{}` is empty", entry.key));
            }
            given.push(Given { key: entry.key.to_owned(), span: entry.span.clone(), value });
        }
    }

    /// The name of a file is meant from the folder of the configuration file.
    fn relative(&self, arg: &Arg, text: &str) -> String {
        if !is_file(arg) || text.starts_with("sha256:") {
            return text.to_owned();
        }
        let folder = self.file.parent().unwrap_or_else(|| Path::new(""));
        folder.join(text).to_string_lossy().into_owned()
    }

    /// The parser does not take the options.
    fn refused(&mut self, error: &clap::Error, table: &Table<'_>, given: &[Given]) {
        let named = |kind| match error.get(kind) {
            Some(ContextValue::String(arg)) => vec![key_of(arg)],
            Some(ContextValue::Strings(args)) => args.iter().map(|arg| key_of(arg)).collect(),
            _ => Vec::new(),
        };
        let (invalid, prior) = (named(ContextKind::InvalidArg), named(ContextKind::PriorArg));
        let place = invalid.iter().chain(&prior).find_map(|key| given.iter().find(|given| given.key == *key));
        let span = place.map_or(&table.span, |given| &given.span).clone();
        let list = |keys: &[String]| keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        let (invalid, prior) = (list(&invalid), list(&prior));
        // The text of the parser itself would show the value, which may be a key.
        let reason = match error.kind() {
            ErrorKind::MissingRequiredArgument => format!("{invalid} is missing"),
            ErrorKind::ArgumentConflict if prior.is_empty() => format!("{invalid} stands there more than once"),
            ErrorKind::ArgumentConflict => format!("{invalid} and {prior} exclude each other"),
            _ => match (std::error::Error::source(error), error.get(ContextKind::ValidValue)) {
                (Some(source), _) => format!("{invalid}: {source}"),
                (None, Some(valid)) => format!("{invalid}: known are {valid}"),
                (None, None) => format!("{invalid}: {}", error.kind()),
            },
        };
        self.fault(&span, reason);
    }

    /// Notes what keeps a plan from being made, with the line of the key that it is about.
    fn planned(&mut self, span: Range<usize>, given: Vec<Given>, plan: Result<Plan, Failure>) -> Option<Planned> {
        match plan {
            Ok(plan) => Some(Planned { plan, span, given }),
            Err(failure) => {
                self.fault(place(&span, &given, failure.about()), &failure);
                None
            }
        }
    }

    /// Two tunnels cannot share a port or a state file.
    fn conflicts(&mut self, plans: &[Planned]) {
        for (at, planned) in plans.iter().enumerate() {
            let earlier = || plans.iter().take(at);
            let place = |key: &str| planned.given.iter().find(|given| given.key == key).map(|given| given.span.clone());
            if earlier().any(|other| socket::conflict(other.plan.address(), planned.plan.address())) {
                let span = place("listen").unwrap_or_else(|| planned.span.clone());
                self.fault(&span, format_args!("another tunnel listens on {} already", planned.plan.address()));
            }
            if let Some(state) = planned.plan.state()
                && earlier().any(|other| other.plan.state() == Some(state))
            {
                let span = place("state").unwrap_or_else(|| planned.span.clone());
                self.fault(&span, format_args!("another tunnel keeps its state in {} already", state.display()));
            }
        }
    }
}

/// Whether a file is meant. The parser gives the hint to all paths; what may also be something else declares it.
fn is_file(arg: &Arg) -> bool {
    matches!(arg.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath)
}

/// From `--cert <FILE>` to `cert`.
fn key_of(arg: &str) -> String {
    arg.trim_start_matches('-').split([' ', '=', '[']).next().unwrap_or_default().to_owned()
}

fn entries<'t>(table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
    let entry = |(key, value): (&'t Spanned<_>, &'t Spanned<DeValue<'t>>)| {
        let name: &'t std::borrow::Cow<'t, str> = key.get_ref();
        Entry { key: name, span: key.span(), value: value.get_ref() }
    };
    table.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::TunnelClientArgs;

    #[test]
    fn options_that_take_files_are_known() {
        let commands = [TunnelClientArgs::augment_args, TunnelServerArgs::augment_args, ServiceArgs::augment_args];
        let mut files = Vec::new();
        for augment in commands {
            let mut command = augment(Command::new("table"));
            command.build();
            for arg in command.get_arguments() {
                let names = arg.get_value_names().unwrap_or_default();
                let says_so = names.iter().any(|name| name.split('|').any(|name| name == "FILE"));
                assert_eq!(is_file(arg), says_so, "{arg}");
                files.extend(arg.get_long().filter(|_| is_file(arg)).map(str::to_owned));
            }
        }
        for key in ["ca", "cert", "client-ca", "crl", "key", "keylog", "psk-file", "raw-public-key", "state"] {
            assert!(files.iter().any(|file| file == key), "{key}: {files:?}");
        }
    }
}
