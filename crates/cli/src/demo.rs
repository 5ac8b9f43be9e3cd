//! `gramseal demo`: both sides in one process, over loopback UDP, through a network as bad as
//! asked for.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gramseal::proto::Trace;
use gramseal::proto::config::ClientAuth;
use gramseal::{Connection, Endpoint, PeerVerifier, trust};
use rcgen::ExtendedKeyUsagePurpose;
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::args::DemoArgs;
use crate::failure::Failure;
use crate::identity::{DemoAuthority, KeyKind};
use crate::ladder::{Both, Recorder, Side, ladder};
use crate::output::{self, CLIENT, NOTICE, Output, SERVER};
use crate::relay::{Relay, Traffic, Weather};
use crate::report::{Connected, Counted, Event};
use crate::setup::{Settings, Trust};
use crate::trace::LiveTrace;

const SERVER_NAME: &str = "localhost";
/// Loopback is fast: what has not come after this is lost, and demonstrations should not be slow.
const FIRST_TIMEOUT: Duration = Duration::from_millis(200);
const LONGEST_TIMEOUT: Duration = Duration::from_millis(500);
/// Messages on their way at once.
const BATCH: u32 = 32;
/// How long an echo may take.
const ECHO_WAIT: Duration = Duration::from_millis(150);

pub(crate) async fn run(args: DemoArgs, output: Output) -> Result<(), Failure> {
    let mut stage = Stage::set(&args, output).await?;
    let began = Instant::now();
    let connected = stage.connect().await;
    let handshake = began.elapsed();
    // In 1.3 the client is done first; what it sends before the server is too would be lost.
    let server = if connected.is_ok() { stage.served().await } else { None };
    stage.print_ladder(output);
    let connection = connected?;

    let connected = Connected::new(&connection, args.common.export.as_ref())?;
    let text = format!("client: {connected}");
    output.result(&Event::Connected(&connected), if output.is_json() { text } else { format!("\n{text}") });
    if let Some(export) = connected.export.as_ref().filter(|_| !output.is_json()) {
        output::note(export);
    }
    let began = Instant::now();
    let echoed = echo(&connection, args.messages).await?;
    let echo_time = began.elapsed();

    connection.close().await;
    let summary = stage.summary(&connection, server, [handshake, echo_time], [args.messages, echoed]).await;
    output.result(&Event::Summary(&summary), &summary);
    Ok(())
}

/// Everything that stands before the client connects.
struct Stage {
    client: Endpoint,
    client_config: Arc<gramseal::ClientConfig>,
    client_view: Arc<Recorder>,
    server: Endpoint,
    server_view: Arc<Recorder>,
    service: JoinHandle<Result<Connection, Failure>>,
    relay: Relay,
}

impl Stage {
    async fn set(args: &DemoArgs, output: Output) -> Result<Self, Failure> {
        let mut settings = Settings::new(&args.common.protocol)?;
        settings.transport.initial_timeout = FIRST_TIMEOUT;
        settings.transport.max_timeout = LONGEST_TIMEOUT;
        let provider = gramseal::provider();
        let authority = DemoAuthority::new(KeyKind::for_suites(&args.common.protocol.suites))?;
        let verifier: Arc<dyn PeerVerifier> = Arc::new(
            trust::chain().with_roots([authority.root()]).and_then(|chain| chain.build()).map_err(Failure::usage)?,
        );

        let (client_view, client_trace) = view(Side::Client, args.common.trace, output);
        settings.trace = Some(client_trace);
        let client_identity = if args.client_auth {
            Some(authority.issue(&provider, "client.demo", ExtendedKeyUsagePurpose::ClientAuth)?.identity)
        } else {
            None
        };
        let client_config = settings.client(Trust::Certificates(Arc::clone(&verifier)), client_identity)?;

        let (server_view, server_trace) = view(Side::Server, args.common.trace, output);
        settings.trace = Some(server_trace);
        // Both sides have the same secrets: once is enough.
        settings.key_log = None;
        let server_identity = authority.issue(&provider, SERVER_NAME, ExtendedKeyUsagePurpose::ServerAuth)?.identity;
        let client_auth = if args.client_auth { ClientAuth::Required(verifier) } else { ClientAuth::None };
        let server_config = settings.server(Some(server_identity), Vec::new(), client_auth)?;

        let server = Endpoint::server((Ipv4Addr::LOCALHOST, 0), server_config).map_err(Failure::connection)?;
        let address = server.local_addr().map_err(Failure::connection)?;
        let weather = Weather { loss: args.loss, reorder: args.reorder, duplicate: args.duplicate, seed: args.seed };
        let relay = Relay::start(address, weather).await.map_err(Failure::connection)?;
        let client = Endpoint::client((Ipv4Addr::LOCALHOST, 0)).map_err(Failure::connection)?;
        let service = tokio::spawn(serve(server.clone()));
        Ok(Self { client, client_config, client_view, server, server_view, service, relay })
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let config = Arc::clone(&self.client_config);
        self.client.connect(self.relay.front(), SERVER_NAME, config).await.map_err(Failure::from)
    }

    /// The server's side, once its handshake is done.
    async fn served(&mut self) -> Option<Connection> {
        match (&mut self.service).await {
            Ok(Ok(connection)) => Some(connection),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    fn print_ladder(&self, output: Output) {
        let cookies_sent = self.server.stats().routing.cookies_sent;
        for rung in ladder(&self.client_view.events(), &self.server_view.events(), cookies_sent) {
            let style = match rung.from {
                _ if rung.sent > 1 => NOTICE,
                Side::Client => CLIENT,
                Side::Server => SERVER,
            };
            output.result(&Event::Message(&rung), format_args!("{style}{rung}{style:#}"));
        }
    }

    async fn summary(
        self,
        client: &Connection,
        server: Option<Connection>,
        [handshake, echo]: [Duration; 2],
        [sent, echoed]: [u32; 2],
    ) -> Summary {
        // For the close_notify to arrive; if it was lost, there is nothing to wait for.
        sleep(Duration::from_millis(20)).await;
        Summary {
            handshake_ms: milliseconds(handshake),
            echo_ms: milliseconds(echo),
            messages_sent: sent,
            messages_echoed: echoed,
            client: Counted::new(&client.stats()),
            server: server.map(|connection| Counted::new(&connection.stats())),
            cookies_sent: self.server.stats().routing.cookies_sent,
            to_server: self.relay.to_server(),
            to_client: self.relay.to_client(),
        }
    }
}

/// A recorder, and what feeds it.
fn view(side: Side, live: bool, output: Output) -> (Arc<Recorder>, Arc<dyn Trace>) {
    let recorder = Recorder::new();
    let recording: Arc<dyn Trace> = Arc::clone(&recorder) as _;
    let live: Option<Arc<dyn Trace>> = live.then(|| Arc::new(LiveTrace { side, output }) as _);
    let trace = match live {
        Some(live) => Arc::new(Both(recording, live)),
        None => recording,
    };
    (recorder, trace)
}

/// Milliseconds with three decimals.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// The server: accepts one connection and, from then on, sends back what it gets.
async fn serve(endpoint: Endpoint) -> Result<Connection, Failure> {
    let incoming = endpoint.accept().await.ok_or_else(|| Failure::connection("the server has ended"))?;
    let connection = incoming.await?;
    let echoing = connection.clone();
    tokio::spawn(async move {
        while let Ok(Some(data)) = echoing.recv().await {
            // Lost like a datagram in the network: the client counts it.
            let _ = echoing.send(&data);
        }
    });
    Ok(connection)
}

/// Sends `messages` and waits for their echoes; how many came. Lost ones are not repeated: they are
/// application data.
async fn echo(connection: &Connection, messages: u32) -> Result<u32, Failure> {
    let mut echoed = BTreeSet::<u32>::new();
    let mut sent = 0;
    while sent < messages {
        let batch = sent..messages.min(sent + BATCH);
        sent = batch.end;
        for number in batch.clone() {
            connection.send(format!("message {number}").as_bytes()).map_err(Failure::connection)?;
        }
        while !batch.clone().all(|number| echoed.contains(&number)) {
            let Ok(received) = timeout(ECHO_WAIT, connection.recv()).await else { break };
            let Some(data) = received? else { return Err(Failure::connection("the server closed the connection")) };
            let number = std::str::from_utf8(&data).ok().and_then(|text| text.strip_prefix("message ")?.parse().ok());
            echoed.extend(number.filter(|number: &u32| *number < messages));
        }
    }
    Ok(u32::try_from(echoed.len()).unwrap_or(u32::MAX))
}

/// How it went.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    handshake_ms: f64,
    echo_ms: f64,
    messages_sent: u32,
    messages_echoed: u32,
    client: Counted,
    server: Option<Counted>,
    cookies_sent: u64,
    to_server: Traffic,
    to_client: Traffic,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "handshake         {:.1} ms, cookies sent: {}", self.handshake_ms, self.cookies_sent)?;
        let (sent, echoed) = (self.messages_sent, self.messages_echoed);
        writeln!(f, "echo              {sent} messages sent, {echoed} came back, {:.1} ms", self.echo_ms)?;
        writeln!(f, "client            {}", self.client)?;
        if let Some(server) = &self.server {
            writeln!(f, "server            {server}")?;
        }
        writeln!(f, "client to server  {}", self.to_server)?;
        write!(f, "server to client  {}", self.to_client)
    }
}
