//! `client --resume` and `server --tickets`, over loopback.

#![allow(missing_docs, reason = "a test")]

mod common;

use common::{Folder, Server, event, gramseal, json_lines, run_with_input, stderr, stdout};

/// Options of servers that speak one version alone.
const VERSIONS: [&str; 2] = ["--dtls 1.2", "--dtls 1.3"];

/// Connects with this session file; whether the client says that it resumed.
fn connect(server: &Server, options: &str) -> bool {
    let output = run_with_input(gramseal(&format!("{} --json {options}", server.trusted())), "hello\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    event(&json_lines(stdout(&output)), "connected")["resumed"] == true
}

#[test]
fn a_session_is_kept_in_a_file_and_resumed_from_it() {
    for version in VERSIONS {
        kept_and_resumed(version);
    }
}

fn kept_and_resumed(version: &str) {
    let folder = Folder::new();
    let file = folder.path("session");
    let server = Server::start(&format!("{version} --echo"));
    let resume = format!("--resume {file}");
    assert_eq!([(); 3].map(|()| connect(&server, &resume)), [false, true, true]);
    assert!(!connect(&server, ""), "without the file it is a new session");
    assert!(!connect(&server, &format!("{resume} --name other.test")), "the session is not for this name");

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).expect("there is a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else may read the secret in it");
    }
}

#[cfg(unix)]
#[test]
fn a_session_that_others_could_have_planted_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let file = folder.path("kept");
    let server = Server::start("--dtls 1.2 --echo");
    let resume = format!("--resume {file}");
    assert!(!connect(&server, &resume));
    for mode in [0o640, 0o620, 0o604, 0o602] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("it is ours");
        let output = run_with_input(gramseal(&format!("{} {resume}", server.trusted())), "hello\n");
        assert_eq!(output.status.code(), Some(2), "{mode:o}: {}", stderr(&output));
        assert!(stderr(&output).contains("open to others"), "{}", stderr(&output));
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    assert!(connect(&server, &resume));
}

#[test]
fn both_sides_say_that_they_resumed() {
    for version in VERSIONS {
        said_on_both_sides(version);
    }
}

fn said_on_both_sides(version: &str) {
    let folder = Folder::new();
    let resume = format!("--resume {}", folder.path("session"));
    let mut server = Server::start(&format!("{version} --echo"));
    let command = format!("{} {resume}", server.trusted());
    let client = || run_with_input(gramseal(&command), "hello\n");
    assert!(!stderr(&client()).contains("resumed"));
    assert_eq!(server.next("connected")["resumed"], false);
    let output = client();
    assert_eq!(stdout(&output), "hello\n");
    assert!(stderr(&output).contains(", resumed, peer localhost"), "{}", stderr(&output));
    assert_eq!(server.next("connected")["resumed"], true);
}

#[test]
fn a_server_without_tickets_resumes_nothing() {
    for version in VERSIONS {
        let folder = Folder::new();
        let file = folder.path("session");
        let server = Server::start(&format!("{version} --tickets 0"));
        let resume = format!("--resume {file}");
        assert_eq!([(); 2].map(|()| connect(&server, &resume)), [false, false], "{version}");
        assert!(!std::fs::exists(&file).expect("it can be looked for"), "{version}: there is nothing to keep");
    }
}

#[test]
fn a_file_that_holds_no_session_is_refused_and_left_alone() {
    let folder = Folder::new();
    for content in ["", "not a session", "\u{1}\u{fe}\u{fd}"] {
        let file = folder.file("session", content);
        let output = run_with_input(gramseal(&format!("client localhost:9 --insecure --resume {file}")), "");
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(&file) && stderr(&output).contains("session"), "{}", stderr(&output));
        assert_eq!(std::fs::read(&file).expect("it is there"), content.as_bytes());
    }
}
