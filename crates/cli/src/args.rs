//! The command line: commands, options, and what their values mean.
//!
//! Names of cipher suites and groups are IANA's. Nothing here opens a file or a socket.

mod auth;
mod cert;
mod tunnel;

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use gramseal::proto::wire::{CipherSuite, NamedGroup, ProtocolVersion, SrtpProfile};

use crate::names;
pub(crate) use auth::{ClientAuthArgs, RawPublicKey, ServerAuthArgs, parse_psk};
pub(crate) use cert::{CaArgs, CertArgs, CertCommand, IssueArgs, MakeArgs};
pub(crate) use tunnel::{
    CheckArgs, FlowArgs, LogFormat, ServiceArgs, TunnelArgs, TunnelClientArgs, TunnelCommand, TunnelServerArgs,
};

/// Secure datagrams: DTLS (RFC 6347, RFC 9147) over UDP.
///
/// Exit status: 0 done, 1 the connection failed, 2 wrong use.
#[derive(Debug, Parser)]
#[command(name = "gramseal", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a handshake: server and client in this process, over loopback UDP
    ///
    /// Makes certificates on the spot, completes a handshake (through a network as bad as asked for), echoes some
    /// messages, and prints the handshake as a ladder and a summary.
    Demo(DemoArgs),
    /// Accept associations, print the datagrams received
    ///
    /// Prints one line per connection and one per datagram on standard output, status lines on standard error.
    /// Without any of --cert, --key, --self-signed, --psk and --psk-file it makes a certificate for "localhost".
    Server(ServerArgs),
    /// Connect, send each line of standard input as one datagram
    ///
    /// Datagrams received go to standard output, one line each, and nothing else does (except with --json). At the
    /// end of input it waits for replies, closes the association and exits.
    Client(ClientArgs),
    /// Put DTLS between programs that speak UDP, without a change to them
    ///
    /// The client end takes in what programs send to --listen and carries it to the server end, which passes it on to
    /// --forward; answers go back the same way. Each sender, told by its address, has a connection of its own, and on
    /// the server's side a local port of its own.
    ///
    /// Both ends use connection ids of 8 bytes unless --cid says otherwise, so that connections outlive addresses.
    ///
    /// SIGHUP reads certificates, keys and the configuration file anew and ends no connection. SIGTERM closes all
    /// connections, or keeps those of a server with --state for its successor.
    Tunnel(TunnelArgs),
    /// Check a configuration file of `gramseal tunnel`, and the files that it names
    Check(CheckArgs),
    /// Make certificates and keys for testing, or print what they say
    Cert(CertArgs),
}

/// How to speak DTLS, whatever the command.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct ProtocolArgs {
    /// Version of DTLS to allow; repeat it for several, or separate them by commas [default: 1.3,1.2]
    #[arg(long, value_name = "VERSION", value_enum, value_delimiter = ',')]
    pub(crate) dtls: Vec<Version>,

    /// Cipher suite to allow, by its IANA name; repeat it for several, most preferred first [default: all safe ones]
    #[arg(long = "suite", value_name = "NAME", value_parser = names::suite)]
    pub(crate) suites: Vec<CipherSuite>,

    /// Key exchange group to allow, by its IANA name; repeat it for several, most preferred first [default: all safe
    /// ones]
    #[arg(long = "group", value_name = "NAME", value_parser = names::group)]
    pub(crate) groups: Vec<NamedGroup>,

    /// Application protocol to offer or accept (ALPN, RFC 7301); repeat it for several, most preferred first
    #[arg(long = "alpn", value_name = "PROTO")]
    pub(crate) alpn: Vec<String>,

    /// SRTP protection profile to offer or accept (use_srtp, RFC 5764), by its IANA name or OpenSSL's; repeat it for
    /// several, most preferred first. The profile agreed on is shown; its keys are not, unless --export asks for
    /// EXTRACTOR-dtls_srtp
    #[arg(long = "srtp", value_name = "PROFILE", value_parser = names::srtp_profile)]
    pub(crate) srtp: Vec<SrtpProfile>,

    /// Compress certificates (RFC 8879) for peers that can undo it, and let them compress theirs: brotli, zstd, zlib.
    /// DTLS 1.3 alone
    #[arg(long)]
    pub(crate) compress_certificates: bool,

    /// Ask the peer to put a connection id (RFC 9146, RFC 9147) of BYTES random bytes into its records, 4 to 255, so
    /// that they are recognised when its address changes; 0 does without connection ids, also those of the peer
    /// [default: 8 if BYTES is left out; without --cid only those of the peer]
    #[arg(long, value_name = "BYTES", num_args = 0..=1, require_equals = true, default_missing_value = "8")]
    #[arg(value_parser = parse_cid)]
    pub(crate) cid: Option<u8>,

    /// Largest datagram to send, in bytes of UDP payload: 256 to 65507 [default: 1200]
    #[arg(long, value_name = "BYTES")]
    pub(crate) mtu: Option<usize>,

    /// Search for the largest datagram that passes, up to BYTES of UDP payload, and send such from then on (DTLS 1.3,
    /// RFC 8899) [default: no more than --mtu]
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_mtu: Option<usize>,

    /// Allow DHE_RSA suites too, for peers that have nothing better
    #[arg(long)]
    pub(crate) legacy: bool,

    /// Append the secrets of each connection to FILE, for Wireshark (RFC 9850); whoever reads it can read the
    /// traffic [default: $SSLKEYLOGFILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) keylog: Option<PathBuf>,
}

/// What every command takes that ends by itself or with its user.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common options")]
pub(crate) struct CommonArgs {
    #[command(flatten)]
    pub(crate) protocol: ProtocolArgs,

    /// Print LENGTH bytes of keying material for LABEL in hex (exporter, RFC 5705)
    #[arg(long, value_name = "LABEL:LENGTH", value_parser = parse_export)]
    pub(crate) export: Option<Export>,

    /// Print one line per handshake message, acknowledgement and alert sent or received: name, flight, epoch, sequence
    /// number, sizes, retransmissions
    #[arg(long)]
    pub(crate) trace: bool,

    /// Print one JSON object per line on standard output
    #[arg(long)]
    pub(crate) json: bool,

    /// Say more on standard error
    #[arg(short = 'v', long = "verbose")]
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// Address and UDP port to listen on
    #[arg(long, value_name = "ADDR", default_value = "[::]:4433")]
    pub(crate) listen: String,

    /// How many tickets to give each client, to resume its session with (RFC 5077, RFC 9846); 0 for none. DTLS 1.2 has
    /// one at most, and clients of it that know no tickets resume by session id. In DTLS 1.3 they come after a full
    /// handshake, one comes after each that resumes, and clients may ask for another number
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) tickets: u8,

    /// Take up to BYTES of early data (0-RTT) from each client of DTLS 1.3 that resumes a session, and mark it "early":
    /// others can have sent it again. A client whose early data is taken is not asked for a cookie, since that would
    /// reject its early data: until it has answered, at most three times as much is sent to its address as came from it
    #[arg(long, value_name = "BYTES", default_value = "0")]
    pub(crate) max_early_data: u32,

    /// Accept a ClientHello without the cookie exchange (RFC 6347 §4.2.1): only where addresses cannot be forged
    #[arg(long)]
    pub(crate) no_cookie: bool,

    /// Send every datagram back
    #[arg(long)]
    pub(crate) echo: bool,

    /// Exit after the first connection has closed
    #[arg(long)]
    pub(crate) once: bool,

    #[command(flatten)]
    pub(crate) auth: ServerAuthArgs,

    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ClientArgs {
    /// The server; an IPv6 address in brackets
    #[arg(value_name = "HOST:PORT", value_parser = parse_target)]
    pub(crate) target: Target,

    /// Resume the session in FILE, if there is one with this server, and keep the session there for the next time;
    /// whoever reads FILE can read the traffic
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,

    /// Send the first line as early data (0-RTT, DTLS 1.3), with the session in --resume FILE if its server allows
    /// that: nothing is sent before there is a line. Others can send it again. If the server does not take it, it is
    /// sent once more after the handshake
    #[arg(long, requires = "resume")]
    pub(crate) early_data: bool,

    /// Update the keys of both sides each time N lines were sent (DTLS 1.3)
    #[arg(long, value_name = "N")]
    pub(crate) key_update: Option<NonZeroU32>,

    /// Go on from another local port once N lines were sent, as behind a NAT that forgets this one; the server has to
    /// recognise the client by a connection id (server --cid)
    #[arg(long, value_name = "N")]
    pub(crate) rebind_after: Option<NonZeroU32>,

    /// Send the large share of a post-quantum group with the first hello, which some servers leave unanswered, instead
    /// of waiting until the server asks for it, which some never do
    #[arg(long)]
    pub(crate) large_share_at_once: bool,

    /// How long to wait for replies at the end of input, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_seconds)]
    pub(crate) wait: Duration,

    #[command(flatten)]
    pub(crate) auth: ClientAuthArgs,

    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// The server asks for the client's certificate, and gets it
    #[arg(long)]
    pub(crate) client_auth: bool,

    /// Probability that a datagram is lost, 0 to 0.9
    #[arg(long, value_name = "P", default_value = "0", value_parser = parse_probability)]
    pub(crate) loss: f64,

    /// Probability that a datagram is overtaken by later ones, 0 to 0.9
    #[arg(long, value_name = "P", default_value = "0", value_parser = parse_probability)]
    pub(crate) reorder: f64,

    /// Probability that a datagram arrives twice, 0 to 0.9
    #[arg(long, value_name = "P", default_value = "0", value_parser = parse_probability)]
    pub(crate) duplicate: f64,

    /// Seed of the network: the same seed treats the same datagrams the same way
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) seed: u64,

    /// Messages to echo after the handshake
    #[arg(long, value_name = "N", default_value = "5")]
    pub(crate) messages: u32,

    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Version {
    /// DTLS 1.2 (RFC 6347)
    #[value(name = "1.2")]
    Dtls12,
    /// DTLS 1.3 (RFC 9147)
    #[value(name = "1.3")]
    Dtls13,
}

impl From<Version> for ProtocolVersion {
    fn from(version: Version) -> Self {
        match version {
            Version::Dtls12 => Self::DTLS1_2,
            Version::Dtls13 => Self::DTLS1_3,
        }
    }
}

/// What `--export` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Export {
    pub(crate) label: String,
    /// In bytes.
    pub(crate) length: usize,
}

/// Where a client connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// The most keying material that `--export` gives, in bytes.
const MAX_EXPORT: usize = 65_535;

fn parse_export(text: &str) -> Result<Export, String> {
    // Labels may contain colons; lengths do not.
    let (label, length) = text.rsplit_once(':').ok_or("LABEL:LENGTH is expected")?;
    let length = length.parse().ok().filter(|length| (1..=MAX_EXPORT).contains(length));
    let length = length.ok_or_else(|| format!("a length is a number of bytes from 1 to {MAX_EXPORT}"))?;
    if label.is_empty() {
        return Err("the label is empty".to_owned());
    }
    Ok(Export { label: label.to_owned(), length })
}

fn parse_cid(text: &str) -> Result<u8, String> {
    let len = text.parse().ok().filter(|len| *len == 0 || *len >= 4);
    len.ok_or_else(|| "a number of bytes from 4 to 255 is expected, or 0".to_owned())
}

fn parse_target(text: &str) -> Result<Target, String> {
    let (host, port) = text.rsplit_once(':').ok_or("HOST:PORT is expected")?;
    let port = port.parse().map_err(|_| format!("{port:?} is no port"))?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if bracketed.is_none() && host.contains(':') {
        return Err("an IPv6 address stands in brackets: [::1]:4433".to_owned());
    }
    match bracketed.unwrap_or(host) {
        "" => Err("the host is empty".to_owned()),
        host => Ok(Target { host: host.to_owned(), port }),
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn parse_probability(text: &str) -> Result<f64, String> {
    let probability = text.parse::<f64>().map_err(|error| error.to_string())?;
    // With more, a handshake would need more patience than anybody has.
    if (0.0..=0.9).contains(&probability) {
        Ok(probability)
    } else {
        Err("a number from 0 to 0.9 is expected".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use gramseal::proto::config::Psk;
    use gramseal::webpki::Fingerprint;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn versions_may_be_repeated_or_listed() {
        let versions = |line: &str| match Cli::try_parse_from(line.split(' ')).map(|cli| cli.command) {
            Ok(Command::Demo(args)) => Some(args.common.protocol.dtls),
            _ => None,
        };
        let both = Some(vec![Version::Dtls13, Version::Dtls12]);
        assert_eq!(versions("gramseal demo --dtls 1.3 --dtls 1.2"), both);
        assert_eq!(versions("gramseal demo --dtls 1.3,1.2"), both);
        assert_eq!(versions("gramseal demo --dtls 1.2"), Some(vec![Version::Dtls12]));
        assert_eq!(versions("gramseal demo"), Some(Vec::new()));
        assert_eq!(versions("gramseal demo --dtls 1.1"), None);
    }

    #[test]
    fn labels_may_contain_colons() {
        let export = Export { label: "EXPERIMENTAL:a".to_owned(), length: 32 };
        assert_eq!(parse_export("EXPERIMENTAL:a:32"), Ok(export));
        for wrong in ["a", "a:", ":32", "a:0", "a:65536", "a:x"] {
            assert!(parse_export(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn identities_may_contain_colons() {
        assert_eq!(parse_psk("a:b:01ff"), Ok(Psk::new("a:b", [1, 255]).expect("good lengths")));
        for wrong in ["a", "a:", "a:0", "a:xx", "a:+f", "a:0\u{e9}"] {
            assert!(parse_psk(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn targets_name_host_and_port() {
        let target = |host: &str, port| Ok(Target { host: host.to_owned(), port });
        assert_eq!(parse_target("localhost:4433"), target("localhost", 4433));
        assert_eq!(parse_target("[::1]:1"), target("::1", 1));
        for wrong in ["localhost", "::1:4433", ":4433", "[]:4433", "a:65536", "a:"] {
            assert!(parse_target(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ways_to_trust_exclude_each_other() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        assert!(parse("gramseal client a:1 --ca x").is_ok());
        assert!(parse("gramseal client a:1 --ca x --insecure").is_err());
        assert!(parse("gramseal client a:1 --system-roots --insecure").is_err());
        assert!(parse("gramseal client a:1 --psk i:00").is_ok());
        assert!(parse("gramseal client a:1 --psk i:00 --insecure").is_err());
        assert!(parse("gramseal client a:1 --cert x").is_err());
        assert!(parse("gramseal server --cert x --key y --self-signed z").is_err());
        assert!(parse("gramseal server --require-client-cert").is_err());
        let fingerprint = format!("--fingerprint sha256:{}", "0a".repeat(32));
        assert!(parse(&format!("gramseal server {fingerprint} {fingerprint}")).is_ok());
        assert!(parse(&format!("gramseal server {fingerprint} --client-ca x")).is_err());
        assert!(parse("gramseal client a:1 --ca x --crl y --crl z").is_ok());
        assert!(parse("gramseal client a:1 --insecure --crl y").is_err());
        assert!(parse("gramseal server --crl y").is_err());
        assert!(parse("gramseal client a:1 --raw-public-key x --raw-public-key y --key z").is_ok());
        assert!(parse("gramseal client a:1 --raw-public-key x --ca y").is_err());
        assert!(parse("gramseal client a:1 --raw-public-key x --ocsp").is_err());
        assert!(parse("gramseal client a:1 --ocsp --ca x").is_ok());
        assert!(parse("gramseal server --key x --raw-public-key y --client-ca z").is_ok());
        assert!(parse("gramseal server --key x --ocsp y").is_err());
    }

    #[test]
    fn raw_public_keys_are_files_or_fingerprints() {
        let file = RawPublicKey::File("key.pem".into());
        assert_eq!("key.pem".parse(), Ok(file));
        let hash = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(hash.parse(), Ok(RawPublicKey::Fingerprint(Fingerprint::new([10; 32]))));
        assert!("sha256:0a".parse::<RawPublicKey>().is_err(), "no file is meant");
    }

    #[test]
    fn probabilities_and_times_are_checked() {
        assert_eq!(parse_probability("0.2"), Ok(0.2));
        assert!(["-0.1", "1", "NaN", "x"].iter().all(|text| parse_probability(text).is_err()));
        assert_eq!(parse_seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(["-1", "inf", "x"].iter().all(|text| parse_seconds(text).is_err()));
    }
}
