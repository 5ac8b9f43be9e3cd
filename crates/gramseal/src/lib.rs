//! Secure datagrams: DTLS 1.2 and 1.3 on tokio and UDP.
