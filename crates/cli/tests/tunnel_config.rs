//! `gramseal check`: what is wrong with a configuration file, and where.

#![allow(missing_docs, reason = "a test")]

mod common;

use common::{Folder, event, json_lines, run, stderr, stdout};
use gramseal_testkit::pki::TestPki;

const SERVER: &str = "[[server]]\nlisten = \"127.0.0.1:4433\"\nforward = \"localhost:9\"\nself-signed = \"a.test\"\n";
const CLIENT: &str = "[[client]]\nlisten = \"127.0.0.1:5000\"\nconnect = \"localhost:4433\"\ninsecure = true\n";

/// Checks a file with this text in `folder`; its faults as `LINE: reason`.
fn faults(folder: &Folder, text: &str) -> Vec<String> {
    let file = folder.file("tunnels.toml", text);
    let output = run(&format!("check {file} --json"));
    let lines = json_lines(stdout(&output));
    if output.status.code() == Some(0) {
        event(&lines, "checked");
        return Vec::new();
    }
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let said = |line: &serde_json::Value| format!("{}: {}", line["line"], line["reason"].as_str().expect("a reason"));
    lines.iter().filter(|line| line["event"] == "fault").map(said).collect()
}

#[test]
fn right_files_are_right() {
    let folder = Folder::new();
    let identity = TestPki::new().server("a.test");
    folder.file("cert.pem", &identity.chain_pem);
    folder.file("key.pem", &identity.key_pem);
    folder.file("psks", "# one\na:00ff\n\nb:01\n");
    let all = format!(
        "metrics = \"127.0.0.1:9000\"\nlog = \"info\"\nlog-format = \"json\"\ndrain = 2.5\n\n{SERVER}idle = 60\ncid = 0\n\
         dtls = [\"1.3\", \"1.2\"]\nlegacy = false\n\n[[server]]\nlisten = \"127.0.0.1:4434\"\nforward = \"[::1]:9\"\n\
         cert = \"cert.pem\"\nkey = \"key.pem\"\npsk-file = \"psks\"\nstate = \"state\"\n\n{CLIENT}mtu = 1_400\n"
    );
    assert_eq!(faults(&folder, &all), [""; 0]);
    let file = folder.file("tunnels.toml", &all);
    let output = run(&format!("check {file}"));
    assert!(stdout(&output).contains("3 tunnels"), "{}", stdout(&output));
    assert!(!std::fs::exists(folder.path("state.key")).expect("it can be looked for"), "checking makes nothing");
    // Neither port 0 nor another address is a conflict.
    assert_eq!(faults(&folder, &(CLIENT.replace("5000", "0") + &CLIENT.replace("5000", "0") + SERVER)), [""; 0]);
}

#[test]
fn servers_that_let_everybody_in_are_told() {
    const WITHOUT: &str = "[[server]]\nlisten = \"127.0.0.1:0\"\nforward = \"localhost:9\"\n";
    let folder = Folder::new();
    let pki = TestPki::new();
    folder.file("ca.pem", &pki.root_pem());
    folder.file("key.pem", &pki.server("a.test").key_pem);
    folder.file("psks", "a:00ff\n");
    let own = "self-signed = \"a.test\"";
    let fingerprint = format!("fingerprint = \"sha256:{}\"", "0a".repeat(32));
    let raw_public_key = format!("raw-public-key = \"sha256:{}\"", "0a".repeat(32));
    for (options, warned) in [
        (&[own][..], true),
        (&["key = \"key.pem\""], true),
        (&[own, "client-ca = \"ca.pem\""], true),
        (&[own, "psk-file = \"psks\""], true),
        (&[own, "client-ca = \"ca.pem\"", "require-client-cert = true"], false),
        (&[own, &fingerprint], false),
        (&[own, &raw_public_key], false),
        (&[own, &raw_public_key, "client-ca = \"ca.pem\""], false),
        (&["psk-file = \"psks\""], false),
    ] {
        let file = folder.file("tunnels.toml", &format!("{CLIENT}{WITHOUT}{}\n", options.join("\n")));
        let output = run(&format!("check {file} --json"));
        assert_eq!(output.status.code(), Some(0), "{options:?}: {}", stdout(&output));
        let lines = json_lines(stdout(&output));
        let warnings: Vec<_> = lines.iter().filter(|line| line["event"] == "warning").collect();
        assert_eq!(warnings.len(), usize::from(warned), "{options:?}: {warnings:?}");
        let right = |line: &&serde_json::Value| line["line"] == 5 && line["reason"].to_string().contains("everybody");
        assert!(warnings.iter().all(right), "{warnings:?}");
        let output = run(&format!("check {file}"));
        assert_eq!(stderr(&output).contains("everybody"), warned, "{options:?}: {}", stderr(&output));
    }
}

#[cfg(unix)]
#[test]
fn keys_that_others_can_read_are_told_with_their_lines() {
    let folder = Folder::new();
    let identity = TestPki::new().server("a.test");
    folder.file("cert.pem", &identity.chain_pem);
    folder.file("key.pem", &identity.key_pem);
    folder.file("psks", "a:00ff\n");
    let server = SERVER.replace("self-signed = \"a.test\"", "cert = \"cert.pem\"\nkey = \"key.pem\"");
    let client = CLIENT.replace("insecure = true", "psk-file = \"psks\"");
    let file = folder.file("tunnels.toml", &format!("{server}psk-file = \"psks\"\n{client}"));
    for (mode, told) in [(0o600, &[][..]), (0o400, &[]), (0o640, &[5, 6, 10]), (0o604, &[5, 6, 10])] {
        for name in ["key.pem", "psks"] {
            folder.set_mode(name, mode);
        }
        let output = run(&format!("check {file} --json"));
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
        let lines = json_lines(stdout(&output));
        let is_one = |line: &&serde_json::Value| line["reason"].to_string().contains("others have access to the key");
        let mut found: Vec<_> = lines.iter().filter(is_one).filter_map(|line| line["line"].as_u64()).collect();
        found.sort_unstable();
        assert_eq!(found, told, "{mode:o}: {lines:?}");
    }
}

#[test]
fn faults_have_the_line_of_their_key() {
    let folder = Folder::new();
    folder.file("junk", "no certificate");
    folder.file("psks", "a:00\nb:0\n");
    let identity = TestPki::new().server("a.test");
    folder.file("cert.pem", &identity.chain_pem);
    folder.file("key.pem", &TestPki::new().server("a.test").key_pem);
    for (text, expected) in [
        ("", "1: there is no tunnel"),
        ("[[server]]\nlisten = \n", "2: "),
        (&format!("{SERVER}forwards = \"x\"\n"), "5: unknown key `forwards`"),
        (&format!("{SERVER}\n[server2]\n"), "6: unknown key `server2`"),
        (&format!("metric = 1\n{SERVER}"), "1: unknown key `metric`"),
        (&format!("metrics = \"nowhere\"\n{SERVER}"), "1: `metrics`"),
        (&format!("server = 1\n{CLIENT}"), "1: tables are expected"),
        (&SERVER.replace("forward = \"localhost:9\"\n", ""), "1: `forward` is missing"),
        (&SERVER.replace("localhost:9", "localhost"), "3: `forward`: HOST:PORT"),
        (&SERVER.replace("127.0.0.1:4433", "nowhere"), "2: --listen nowhere"),
        (&format!("{SERVER}max-senders = \"many\"\n"), "5: `max-senders`"),
        (&format!("{SERVER}max-senders = 0\n"), "5: --max-senders"),
        (&format!("{SERVER}idle = true\n"), "5: `idle`: a text or a number"),
        (&format!("{SERVER}legacy = \"yes\"\n"), "5: `legacy`: true or false"),
        (&format!("{SERVER}suite = \"TLS_FANCY\"\n"), "5: `suite`: the name is not known"),
        (&format!("{SERVER}dtls = [\"1.3\", \"1.1\"]\n"), "5: `dtls`: known are"),
        (&format!("{SERVER}tickets = [1, 2]\n"), "5: `tickets`"),
        (&format!("{SERVER}crl = \"junk\"\n"), "`client-ca` is missing"),
        (&format!("{SERVER}client-ca = \"junk\"\n"), "5: "),
        (&format!("{SERVER}client-ca = \"absent.pem\"\n"), "5: "),
        (&format!("{SERVER}psk-file = \"psks\"\n"), "5: "),
        (&format!("{SERVER}psk = \"id:secret\"\n"), "5: `psk`: the key is not hexadecimal"),
        (&format!("{SERVER}cert = \"cert.pem\"\nkey = \"key.pem\"\n"), "exclude each other"),
        (&(SERVER.replace("self-signed = \"a.test\"", "cert = \"cert.pem\"") + "key = \"absent.pem\"\n"), "5: "),
        // The name of one file may begin with that of another.
        (&(SERVER.replace("self-signed = \"a.test\"", "cert = \"cert.pem\"") + "key = \"cert.pem: old\"\n"), "5: "),
        (&(SERVER.replace("self-signed = \"a.test\"", "state = \"s\"")), "1: a tunnel server needs"),
        (&format!("{SERVER}\n{SERVER}"), "7: another tunnel listens on 127.0.0.1:4433 already"),
        (&format!("{SERVER}\n{}", CLIENT.replace("127.0.0.1:5000", "[::]:4433")), "another tunnel listens"),
        (
            &format!("{SERVER}state = \"s\"\n{}state = \"s\"\n", SERVER.replace("4433", "4434")),
            "10: another tunnel keeps its state",
        ),
        (&format!("{CLIENT}ca = \"junk\"\n"), "exclude each other"),
        (&CLIENT.replace("insecure = true", "psk-file = \"psks\""), "4: "),
    ] {
        let found = faults(&folder, text);
        assert!(found.len() == 1 && found[0].contains(expected), "{text}\n{found:#?}\nand not {expected:?}");
        assert!(!found[0].contains("secret"), "{found:?}");
    }
}

#[test]
fn all_faults_are_told_in_the_order_of_lines() {
    let folder = Folder::new();
    let text = format!("{CLIENT}mtuu = 1\n{}key = \"absent\"\n", SERVER.replace("self-signed = \"a.test\"\n", ""));
    let found = faults(&folder, &text);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("5: unknown key `mtuu`") && found[1].starts_with("9: "), "{found:#?}");
    let file = folder.file("tunnels.toml", &text);
    let output = run(&format!("check {file}"));
    assert!(stderr(&output).contains(&format!("{file}:5: unknown key")), "{}", stderr(&output));
    let output = run(&format!("tunnel --config {file}"));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains(&format!("{file}:9: ")), "{}", stderr(&output));
    let output = run("check no-such-file.toml");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_example_of_the_guide_is_right() {
    let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/tunnels.md");
    let guide = std::fs::read_to_string(guide).expect("there is a guide");
    let examples: Vec<&str> = guide.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let folder = Folder::new();
        let pki = TestPki::new();
        let identity = pki.server("tunnel.example.org");
        folder.file("tunnel.pem", &identity.chain_pem);
        folder.file("tunnel.key", &identity.key_pem);
        folder.file("ca.pem", &pki.root_pem());
        folder.file("clients.psk", "branch-office:000102030405060708090a0b0c0d0e0f");
        assert_eq!(faults(&folder, &example.replace("/var/lib/gramseal/", "")), [""; 0], "{example}");
    }
}
