//! `--metrics ADDR`: `/metrics` and `/health` over HTTP, for who watches the service.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::counts;
use crate::failure::Failure;

/// Connections at a time; more wait in the system's queue.
const CONNECTIONS: usize = 64;
/// How long one of them may take to say what it wants: silence keeps nobody's place for longer.
const HEAD: Duration = Duration::from_secs(2);
/// How long it may take as a whole.
const TIME: Duration = Duration::from_secs(10);

/// How often single values are put together.
const UPKEEP: Duration = Duration::from_secs(5);

/// What is counted, and whether the service is on.
pub(super) struct Exporter {
    recorder: PrometheusHandle,
    draining: AtomicBool,
}

impl Exporter {
    /// Installs the recorder of the process.
    pub(super) fn install() -> Result<Arc<Self>, Failure> {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).map_err(Failure::connection)?;
        counts::describe();
        Ok(Arc::new(Self { recorder: handle, draining: AtomicBool::new(false) }))
    }

    /// `/health` says that the service ends.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Takes `address`; who asks there waits until [`Exporter::serve`].
    pub(super) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
        let listener = TcpListener::bind(address).await;
        listener.map_err(|error| Failure::connection(format!("--metrics {address}: {error}")))
    }

    /// Answers requests on tasks in the background.
    pub(super) fn serve(self: &Arc<Self>, listener: TcpListener) {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "metrics are served");
        }
        tokio::spawn(Arc::clone(self).accept(listener));
        tokio::spawn(Arc::clone(self).keep_up());
    }

    /// Distributions keep single values until somebody asks; nobody has to.
    async fn keep_up(self: Arc<Self>) {
        loop {
            sleep(UPKEEP).await;
            self.recorder.run_upkeep();
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        while let Ok(place) = Arc::clone(&room).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let exporter = Arc::clone(&self);
                    tokio::spawn(async move {
                        // Whoever is too slow asks again.
                        let _ = timeout(TIME, exporter.answer_all(stream, HEAD)).await;
                        drop(place);
                    });
                }
                // No more files, as it seems; there are some again later.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    async fn answer_all(self: Arc<Self>, stream: TcpStream, head: Duration) -> Result<(), hyper::Error> {
        let answer = service_fn(|request| {
            let answer = self.answer(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(head).keep_alive(false);
        http.serve_connection(TokioIo::new(stream), answer).await
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, body) = match (request.method(), request.uri().path()) {
            (&(Method::GET | Method::HEAD), "/metrics") => (StatusCode::OK, self.recorder.render()),
            (&(Method::GET | Method::HEAD), "/health") if self.draining.load(Ordering::Relaxed) => {
                (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned())
            }
            (&(Method::GET | Method::HEAD), "/health") => (StatusCode::OK, "ok\n".to_owned()),
            (_, "/metrics" | "/health") => (StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned()),
            _ => (StatusCode::NOT_FOUND, "there are /metrics and /health\n".to_owned()),
        };
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = status;
        // The version of the format, as Prometheus wants it.
        let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// What somebody gets who says `words` and no more; fails if the connection stays.
    async fn after(words: &str) -> String {
        let recorder = PrometheusBuilder::new().build_recorder().handle();
        let exporter = Arc::new(Exporter { recorder, draining: AtomicBool::new(false) });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut client = std::net::TcpStream::connect(address).expect("it listens");
        let (stream, _) = listener.accept().await.expect("a connection");
        client.write_all(words.as_bytes()).expect("it is there");
        let served = timeout(Duration::from_secs(60), exporter.answer_all(stream, Duration::from_millis(50))).await;
        let _ = served.expect("the connection ends by itself");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("an end");
        answer
    }

    #[tokio::test]
    async fn silence_keeps_no_place() {
        assert!(!after("").await.contains("200 OK"));
        assert!(!after("GET /health HTTP/1.1\r\nHost:").await.contains("200 OK"));
        assert!(after("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").await.contains("200 OK"));
    }
}
