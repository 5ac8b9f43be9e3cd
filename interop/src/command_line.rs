//! The command line of a peer in the making, and the folder of the files that it names.

use std::ffi::OsStr;
use std::process::Command;

use crate::{Folder, Process};

/// What to start, with a folder that lives as long as the process.
#[derive(Debug)]
pub(crate) struct CommandLine {
    command: Command,
    folder: Folder,
}

impl CommandLine {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self { command: Command::new(program), folder: Folder::new() }
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// An option whose value is a file with `content`.
    pub(crate) fn file(mut self, option: &str, name: &str, content: &str) -> Self {
        let path = self.folder.write(name, content);
        self.command.arg(option).arg(path);
        self
    }

    /// An option whose value is a file that the peer will write.
    pub(crate) fn output(mut self, option: &str, name: &str) -> Self {
        self.command.arg(option).arg(self.folder.path(name));
        self
    }

    /// A variable of the environment whose value is a file that the peer will write.
    pub(crate) fn output_by_env(mut self, variable: &str, name: &str) -> Self {
        self.command.env(variable, self.folder.path(name));
        self
    }

    pub(crate) fn start(self) -> Process {
        Process::start(self.command, self.folder)
    }
}
