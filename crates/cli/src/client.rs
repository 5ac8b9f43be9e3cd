//! `gramseal client`: lines in, datagrams out, and back.

use std::io::BufRead;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gramseal::proto::config::ClientConfig;
use gramseal::proto::{Error, TimedOut};
use gramseal::sessions::ClientSessionStore;
use gramseal::{ConnectError, Connection, Endpoint};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::args::{ClientArgs, Target};
use crate::auth;
use crate::failure::Failure;
use crate::ladder::Side;
use crate::output::{self, Output};
use crate::private;
use crate::report::{Connected, Counted, Event, Payload};
use crate::resume::SessionFile;
use crate::sender::{LineSender, any_port};
use crate::setup::Settings;
use crate::trace::LiveTrace;

/// How long one address has before the next is tried beside it.
const HEAD_START: Duration = Duration::from_secs(1);
/// Lines of standard input that wait to be sent.
const LINES_WAITING: usize = 64;

pub(crate) async fn run(args: ClientArgs, output: Output) -> Result<(), Failure> {
    let sessions = args.resume.as_deref().map(SessionFile::open).transpose()?.map(Arc::new);
    private::exposed(args.auth.identity.key.iter().chain(&args.auth.psk_file)).for_each(output::warn);
    let config = configure(&args, sessions.clone(), output)?;
    let name = args.auth.name.as_deref().unwrap_or(&args.target.host);
    let addresses = resolve(&args.target).await?;
    let mut lines = lines();
    let first = if args.early_data { lines.recv().await } else { None };
    let connected = connect(&addresses, name, &config, first.as_deref(), output).await;
    if let (Err(Failure::Connection { alert: Some(_), .. }), Some(sessions)) = (&connected, &sessions) {
        // A session that was offered and failed is not offered again; one that nobody answered is.
        sessions.save()?;
    }
    let Established { endpoint, connection, early } = connected?;
    let first = first.filter(|_| !early);

    let connected = Connected::new(&connection, args.common.export.as_ref())?;
    output.status(&Event::Connected(&connected), &connected);
    if let Some(export) = connected.export.as_ref().filter(|_| !output.is_json()) {
        output::note(export);
    }
    let saved = sessions.as_ref().map(|sessions| sessions.save()).transpose();
    let result = match LineSender::new(&endpoint, &connection, &args) {
        Ok(sender) => begin(&connection, sender, first.as_deref(), lines, args.wait, output).await,
        Err(failure) => Err(failure),
    };
    endpoint.close().await;

    let peer = connection.peer_addr();
    let counts = Counted::new(&connection.stats());
    output.detail(format_args!("{peer} {counts}"));
    // In 1.3 tickets come after the handshake. And RFC 5246 §7.2.2: the session of a connection that failed
    // is gone by now.
    let saved_again = sessions.as_ref().map(|sessions| sessions.save()).transpose();
    if result.is_err() {
        saved_again?;
        return result.map(drop);
    }
    let reason = result?;
    saved.and(saved_again)?;
    if output.is_json() {
        output.status(&Event::Closed { peer, reason, counts }, "");
    }
    Ok(())
}

fn configure(
    args: &ClientArgs,
    sessions: Option<Arc<SessionFile>>,
    output: Output,
) -> Result<Arc<ClientConfig>, Failure> {
    let mut settings = Settings::new(&args.common.protocol)?;
    settings.early_data = args.early_data;
    settings.large_share_at_once = args.large_share_at_once;
    settings.session_store = sessions.map(|sessions| sessions as Arc<dyn ClientSessionStore>);
    if args.common.trace {
        settings.trace = Some(Arc::new(LiveTrace { side: Side::Client, output }));
    }
    settings.client(auth::trust(&args.auth)?, auth::client_identity(&args.auth)?)
}

pub(crate) async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, Failure> {
    let Target { host, port } = target;
    let found = tokio::net::lookup_host((host.as_str(), *port)).await;
    let addresses: Vec<_> = found.map_err(|error| Failure::connection(format!("{host}: {error}")))?.collect();
    if addresses.is_empty() { Err(Failure::connection(format!("{host} has no address"))) } else { Ok(addresses) }
}

type Attempt = Result<Established, ConnectError>;

/// A connection, with the endpoint that it lives in.
pub(crate) struct Established {
    pub(crate) endpoint: Endpoint,
    pub(crate) connection: Connection,
    /// Whether the first line went as early data, and was taken.
    early: bool,
}

/// The first of `addresses` that answers. Each has a head start before the next is tried as well;
/// a peer that answers and is refused decides the matter.
pub(crate) async fn connect(
    addresses: &[SocketAddr],
    name: &str,
    config: &Arc<ClientConfig>,
    first: Option<&[u8]>,
    output: Output,
) -> Result<Established, Failure> {
    let mut attempts: JoinSet<Attempt> = JoinSet::new();
    let mut waiting = addresses.iter();
    let mut last = None;
    loop {
        let next = waiting.next();
        if let Some(address) = next {
            output.detail(format_args!("connecting to {address}"));
            attempts.spawn(attempt(*address, name.to_owned(), Arc::clone(config), first.map(<[u8]>::to_vec)));
        }
        let head_start = sleep(HEAD_START);
        tokio::pin!(head_start);
        loop {
            tokio::select! {
                ended = attempts.join_next() => match ended {
                    Some(Ok(Ok(connected))) => return Ok(connected),
                    Some(Ok(Err(error))) if is_unreachable(&error) => last = Some(Failure::from(error)),
                    Some(Ok(Err(error))) => return Err(error.into()),
                    Some(Err(panic)) => return Err(Failure::connection(panic)),
                    None => break,
                },
                () = &mut head_start, if waiting.len() > 0 => break,
            }
        }
        if attempts.is_empty() && waiting.len() == 0 {
            return Err(last.unwrap_or_else(|| Failure::connection("no address to connect to")));
        }
    }
}

async fn attempt(address: SocketAddr, name: String, config: Arc<ClientConfig>, first: Option<Vec<u8>>) -> Attempt {
    let endpoint = Endpoint::client(any_port(address)).map_err(ConnectError::Io)?;
    let early = endpoint.connect_early(address, name.as_str(), config)?;
    // What is not sent now is sent after the handshake.
    let sent = first.is_some_and(|line| early.send_early(&line).is_ok());
    match early.established().await {
        Ok(connection) => {
            let early = sent && connection.negotiated().early_data;
            Ok(Established { endpoint, connection, early })
        }
        Err(error) => {
            // The alert is on its way before the program ends.
            endpoint.close().await;
            Err(error)
        }
    }
}

/// Whether another address may do better.
fn is_unreachable(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Io(_) | ConnectError::Failed(Error::TimedOut(TimedOut::NoAnswer)))
}

/// As [`talk`], after the line that was to be early data if the server did not take it.
async fn begin(
    connection: &Connection,
    mut sender: LineSender<'_>,
    first: Option<&[u8]>,
    lines: mpsc::Receiver<Vec<u8>>,
    wait: Duration,
    output: Output,
) -> Result<&'static str, Failure> {
    if let Some(line) = first {
        output::note("no early data is known to have been taken: the first line is sent now");
        sender.send(line)?;
    }
    talk(connection, sender, lines, wait, output).await
}

/// Sends what comes from standard input and prints what comes from the peer, until `wait` after
/// the end of input or until the peer closes; which of them.
async fn talk(
    connection: &Connection,
    mut sender: LineSender<'_>,
    lines: mpsc::Receiver<Vec<u8>>,
    wait: Duration,
    output: Output,
) -> Result<&'static str, Failure> {
    let peer = connection.peer_addr();
    let mut lines = Some(lines);
    let mut deadline = None;
    loop {
        tokio::select! {
            // What has arrived is printed before the wait can end.
            biased;
            received = connection.recv() => match received? {
                Some(data) if output.is_json() => {
                    output.result(&Event::Datagram { peer, early: false, payload: Payload::new(&data) }, "");
                }
                Some(data) => output::payload(&data),
                None => return sender.finish("closed by the peer"),
            },
            line = next_line(&mut lines) => match line {
                Some(line) => sender.send(&line)?,
                None => {
                    lines = None;
                    deadline = Some(Instant::now() + wait);
                }
            },
            () = until(deadline) => return sender.finish("end of input"),
            _ = tokio::signal::ctrl_c() => return sender.finish("interrupted"),
        }
    }
}

/// Waits for ever once there are no more lines.
async fn next_line(lines: &mut Option<mpsc::Receiver<Vec<u8>>>) -> Option<Vec<u8>> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// The lines of standard input without their ends. A thread of its own reads them: reading cannot
/// be interrupted, and must not hold up the end of the program.
fn lines() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(LINES_WAITING);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().split(b'\n').map_while(Result::ok);
        for line in lines {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
