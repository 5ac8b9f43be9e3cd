//! `gramseal server`: accepts associations and prints what arrives.

use std::net::SocketAddr;
use std::sync::Arc;

use gramseal::{CloseReason, ConnectError, Connection, ConnectionError, CookiePolicy, Endpoint, Incoming};
use tokio::sync::mpsc;

use crate::args::{Export, ServerArgs};
use crate::auth;
use crate::failure::Failure;
use crate::identity::{Form, Own};
use crate::ladder::Side;
use crate::output::{self, NOTICE, Output, printable};
use crate::private;
use crate::report::{Connected, Counted, Event, Payload};
use crate::setup::{Settings, listen_address};
use crate::trace::LiveTrace;

pub(crate) async fn run(args: ServerArgs, output: Output) -> Result<(), Failure> {
    private::exposed(args.auth.identity.key.iter().chain(&args.auth.psk_file)).for_each(output::warn);
    let (endpoint, own) = start(&args, output)?;
    let address = endpoint.local_addr().map_err(Failure::connection)?;
    let mut text = format!("listening on {address}");
    let (mut fingerprint, mut raw_public_key) = (None, None);
    if let Some(own) = own {
        let (form, name) = match own.form {
            Form::Certificate => (&mut fingerprint, "certificate"),
            Form::RawPublicKey => (&mut raw_public_key, "raw public key"),
        };
        text = format!("{text}\n{name} {}", own.fingerprint);
        *form = Some(own.fingerprint.to_string());
    }
    output.status(&Event::Listening { address, fingerprint, raw_public_key }, text);

    let service = Service { echo: args.echo, export: args.common.export, output };
    let result = accept(&endpoint, &service, args.once).await;
    endpoint.close().await;
    result
}

fn start(args: &ServerArgs, output: Output) -> Result<(Endpoint, Option<Own>), Failure> {
    let mut settings = Settings::new(&args.common.protocol)?;
    if args.common.trace {
        settings.trace = Some(Arc::new(LiveTrace { side: Side::Server, output }));
    }
    settings.tickets = args.tickets;
    settings.max_early_data = args.max_early_data;
    let suites = &args.common.protocol.suites;
    let psks = auth::psks(&args.auth)?;
    let own = auth::own_identity(&args.auth, suites)?;
    let own = match own {
        None if psks.is_empty() => Some(auth::self_signed("localhost", suites)?),
        own => own,
    };
    let identity = own.as_ref().map(|own| own.identity.clone());
    let config = settings.server(identity, psks, auth::client_auth(&args.auth)?)?;
    let cookies = match (args.no_cookie, args.max_early_data) {
        (true, _) => CookiePolicy::Off,
        (false, 0) => CookiePolicy::Required,
        (false, _) => CookiePolicy::ExceptEarlyData,
    };
    let address = listen_address(&args.listen)?;
    let endpoint = Endpoint::builder().with_server(config).with_cookie_policy(cookies).bind(address);
    let unusable = |error| Failure::connection(format!("--listen {}: {error}", args.listen));
    Ok((endpoint.map_err(unusable)?, own))
}

/// Serves everybody until the endpoint ends, the user asks, or, with `once`, the first connection
/// has closed.
async fn accept(endpoint: &Endpoint, service: &Service, once: bool) -> Result<(), Failure> {
    let (done, mut first_done) = mpsc::unbounded_channel();
    loop {
        tokio::select! {
            incoming = endpoint.accept() => {
                let Some(incoming) = incoming else { return Ok(()) };
                let (service, done) = (service.clone(), done.clone());
                tokio::spawn(async move {
                    let result = service.serve(incoming).await;
                    // Nobody listens any more once the program is ending.
                    let _ = done.send(result);
                });
            }
            result = first_done.recv() => match result {
                Some(result) if once => return result,
                Some(Err(Failure::Usage(reason))) => return Err(Failure::Usage(reason)),
                Some(_) | None => {}
            },
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// What the server does with each connection.
#[derive(Debug, Clone)]
struct Service {
    echo: bool,
    export: Option<Export>,
    output: Output,
}

impl Service {
    /// From the ClientHello that was let in to the end; reports all there is to report.
    async fn serve(&self, incoming: Incoming) -> Result<(), Failure> {
        let mut peer = incoming.peer();
        let (connection, early_data) = match self.establish(incoming).await {
            Ok(established) => established,
            Err(error) => return Err(self.failed(peer, Failure::from(error))),
        };
        let connected = Connected::new(&connection, self.export.as_ref())?;
        self.output.result(&Event::Connected(&connected), &connected);
        if let Some(export) = connected.export.as_ref().filter(|_| !self.output.is_json()) {
            output::note(export);
        }
        early_data.iter().for_each(|data| self.echo(&connection, peer, data));
        let ended = self.datagrams(&connection, &mut peer).await;
        let counts = Counted::new(&connection.stats());
        match ended {
            Ok(reason) => {
                let reason = reason.to_string();
                let text = format!("{peer} {reason}");
                self.output.status(&Event::Closed { peer, reason: &reason, counts: counts.clone() }, text);
                self.output.detail(format_args!("{peer} {counts}"));
                Ok(())
            }
            Err(error) => {
                self.output.detail(format_args!("{peer} {counts}"));
                Err(self.failed(peer, Failure::from(error)))
            }
        }
    }

    /// Prints what comes, and where the peer goes.
    async fn datagrams(&self, connection: &Connection, peer: &mut SocketAddr) -> Result<CloseReason, ConnectionError> {
        let mut may_move = true;
        loop {
            tokio::select! {
                biased;
                moved = connection.moved_from(*peer), if may_move => match moved {
                    Ok(to) => {
                        self.output.status(&Event::Moved { peer: *peer, to }, format_args!("{peer} moved to {to}"));
                        *peer = to;
                    }
                    // Receiving tells why it has ended.
                    Err(_) => may_move = false,
                },
                received = connection.recv() => match received? {
                    Some(data) => {
                        let text = format!("{peer} {}", printable(&data));
                        let payload = Payload::new(&data);
                        self.output.result(&Event::Datagram { peer: *peer, early: false, payload }, text);
                        self.echo(connection, *peer, &data);
                    }
                    None => return Ok(connection.closed().await),
                },
            }
        }
    }

    /// Waits for the handshake, and prints the early data that comes before its end.
    async fn establish(&self, incoming: Incoming) -> Result<(Connection, Vec<Vec<u8>>), ConnectError> {
        let peer = incoming.peer();
        let early = incoming.accept_early()?;
        let mut early_data = Vec::new();
        while let Some(data) = early.recv_early().await {
            let text = format!("{peer} early {}", printable(&data));
            self.output.result(&Event::Datagram { peer, early: true, payload: Payload::new(&data) }, text);
            early_data.push(data.to_vec());
        }
        Ok((early.established().await?, early_data))
    }

    fn echo(&self, connection: &Connection, peer: SocketAddr, data: &[u8]) {
        if self.echo
            && let Err(error) = connection.send(data)
        {
            output::note(format_args!("{NOTICE}{peer} not sent back: {error}{NOTICE:#}"));
        }
    }

    fn failed(&self, peer: SocketAddr, failure: Failure) -> Failure {
        let text = format!("{NOTICE}{peer} failed: {failure}{NOTICE:#}");
        self.output.status(&failure.event(Some(peer)), text);
        failure
    }
}
