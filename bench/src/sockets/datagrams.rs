//! Batches of quinn-udp with the bare AEAD on each datagram: what is left when there is no protocol at all.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::PAYLOAD;
use super::flow::{Flow, Shared};
use super::ours::runtime;

/// A number for the nonce before the payload, a tag behind it.
const NUMBER: usize = 8;
const DATAGRAM: usize = NUMBER + PAYLOAD + 16;

/// As many buffers as ours gives to the system at once.
const BUFFERS: usize = 8;
const BUFFER_LEN: usize = 65_536;

pub(super) fn flow(batch: usize) -> Flow {
    Flow::start(
        move |shared, ready| runtime().block_on(receive(shared, &ready)),
        move |shared, addr, ready| runtime().block_on(send(shared, addr, batch, &ready)),
    )
}

struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    key: LessSafeKey,
}

impl Socket {
    fn new() -> Self {
        let socket = StdUdpSocket::bind("127.0.0.1:0").expect("a port");
        let state = UdpSocketState::new(UdpSockRef::from(&socket)).expect("a socket");
        let io = UdpSocket::from_std(socket).expect("a runtime");
        Self { io, state, key: LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16]).expect("16 bytes")) }
    }
}

fn nonce(number: &[u8; NUMBER]) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(number);
    Nonce::assume_unique_for_key(nonce)
}

async fn receive(shared: Arc<Shared>, ready: &Sender<SocketAddr>) {
    let Socket { io, state, key } = Socket::new();
    ready.send(io.local_addr().expect("an address")).expect("somebody waits");
    let mut storage = vec![0; BUFFERS * BUFFER_LEN];
    let mut metas = [RecvMeta::default(); BATCH_SIZE];
    loop {
        let mut chunks = storage.chunks_exact_mut(BUFFER_LEN);
        let mut buffers: [IoSliceMut<'_>; BUFFERS] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().expect("as many")));
        let received =
            io.async_io(Interest::READABLE, || state.recv(UdpSockRef::from(&io), &mut buffers, &mut metas)).await;
        let count = received.expect("a socket");
        let mut opened = 0;
        for (meta, buffer) in metas.iter().zip(storage.chunks_exact_mut(BUFFER_LEN)).take(count) {
            for datagram in buffer[..meta.len].chunks_mut(meta.stride) {
                let (number, sealed) = datagram.split_first_chunk_mut().expect("a number");
                let payload = key.open_in_place(nonce(number), Aad::from(*number), sealed).expect("authentic");
                assert!(payload.len() == PAYLOAD, "whole payloads");
                opened += 1;
            }
        }
        shared.received(opened);
    }
}

async fn send(shared: Arc<Shared>, addr: SocketAddr, batch: usize, ready: &Sender<()>) {
    let Socket { io, state, key } = Socket::new();
    let payload = [7; PAYLOAD];
    let mut datagrams = vec![0; batch * DATAGRAM];
    let mut next: u64 = 0;
    ready.send(()).expect("somebody waits");
    loop {
        shared.wait();
        while shared.runs() {
            for datagram in datagrams.chunks_exact_mut(DATAGRAM) {
                let number = next.to_be_bytes();
                next += 1;
                let (start, sealed) = datagram.split_first_chunk_mut().expect("a number");
                *start = number;
                let (content, tag) = sealed.split_at_mut(PAYLOAD);
                content.copy_from_slice(&payload);
                let made = key.seal_in_place_separate_tag(nonce(&number), Aad::from(number), content);
                tag.copy_from_slice(made.expect("sealed").as_ref());
            }
            let transmit = Transmit {
                destination: addr,
                ecn: None,
                contents: &datagrams,
                segment_size: Some(DATAGRAM),
                src_ip: None,
            };
            match state.try_send(UdpSockRef::from(&io), &transmit) {
                Ok(()) => shared.sent(batch),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}
