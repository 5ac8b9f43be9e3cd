//! Hellos taken apart, so that a test can change one field and put them together again.

use gramseal_proto::crypto::SigningKey;
use gramseal_proto::wire::{
    CipherSuite, ClientHello, CodePoint, Codec, ExtensionType, OwnedList, ProtocolVersion, ServerHello, Writer,
};
use gramseal_testkit::null::{NullKey, SeededRandom};
use gramseal_testkit::peer::Scene;

/// Extensions in their order, with their contents.
#[derive(Debug, Clone)]
pub(crate) struct Fields(Vec<(ExtensionType, Vec<u8>)>);

impl Fields {
    pub(crate) fn remove(&mut self, ty: ExtensionType) {
        self.0.retain(|(other, _)| *other != ty);
    }

    /// Adds an extension, or another one of the same type.
    pub(crate) fn push(&mut self, ty: ExtensionType, content: &[u8]) {
        self.0.push((ty, content.to_vec()));
    }

    /// The content of the first extension of this type.
    pub(crate) fn get(&self, ty: ExtensionType) -> Option<Vec<u8>> {
        self.0.iter().find(|(other, _)| *other == ty).map(|(_, content)| content.clone())
    }

    pub(crate) fn replace(&mut self, ty: ExtensionType, content: &[u8]) {
        self.remove(ty);
        self.push(ty, content);
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.vec16(|w| {
            for (ty, content) in &self.0 {
                w.u16(ty.0);
                w.vec16(|w| w.bytes(content));
            }
        });
    }
}

/// What `body` writes.
pub(crate) fn written(body: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut w = Writer::new(&mut bytes);
    body(&mut w);
    w.finish().expect("short");
    bytes
}

/// The content of an extension that is a list of two-byte code points.
pub(crate) fn list16<T: CodePoint>(elements: impl IntoIterator<Item = T>) -> Vec<u8> {
    let list: OwnedList<T> = elements.into_iter().collect();
    written(|w| list.as_list().write16(w))
}

/// A ClientHello in parts.
#[derive(Debug, Clone)]
pub(crate) struct ClientFields {
    pub(crate) version: ProtocolVersion,
    pub(crate) session_id: Vec<u8>,
    pub(crate) cookie: Vec<u8>,
    pub(crate) suites: Vec<CipherSuite>,
    pub(crate) compression: Vec<u8>,
    pub(crate) extensions: Fields,
    pub(crate) random: [u8; 32],
}

impl ClientFields {
    pub(crate) fn of(body: &[u8]) -> Self {
        let hello = ClientHello::from_bytes(body).expect("a hello");
        Self {
            version: hello.legacy_version,
            session_id: hello.session_id.to_vec(),
            cookie: hello.cookie.to_vec(),
            suites: hello.cipher_suites.iter().collect(),
            compression: hello.compression_methods.as_bytes().to_vec(),
            extensions: Fields(hello.extensions.iter().map(|(ty, content)| (ty, content.to_vec())).collect()),
            random: hello.random.0,
        }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        written(|w| {
            w.u16(self.version.0);
            w.bytes(&self.random);
            w.vec8(|w| w.bytes(&self.session_id));
            w.vec8(|w| w.bytes(&self.cookie));
            w.bytes(&list16(self.suites.iter().copied()));
            w.vec8(|w| w.bytes(&self.compression));
            self.extensions.write(w);
        })
    }
}

/// A ServerHello in parts.
#[derive(Debug, Clone)]
pub(crate) struct ServerFields {
    pub(crate) version: ProtocolVersion,
    pub(crate) random: [u8; 32],
    pub(crate) session_id: Vec<u8>,
    pub(crate) suite: CipherSuite,
    pub(crate) compression: u8,
    pub(crate) extensions: Fields,
}

impl ServerFields {
    pub(crate) fn of(body: &[u8]) -> Self {
        let hello = ServerHello::from_bytes(body).expect("a hello");
        Self {
            version: hello.legacy_version,
            random: hello.random.0,
            session_id: hello.session_id.to_vec(),
            suite: hello.cipher_suite,
            compression: hello.compression_method.0,
            extensions: Fields(hello.extensions.iter().map(|(ty, content)| (ty, content.to_vec())).collect()),
        }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        written(|w| {
            w.u16(self.version.0);
            w.bytes(&self.random);
            w.vec8(|w| w.bytes(&self.session_id));
            w.u16(self.suite.0);
            w.u8(self.compression);
            self.extensions.write(w);
        })
    }
}

/// A ServerKeyExchange of the server with this hello: `params`, signed with `key` for the client under test.
pub(crate) fn signed_params(scene: &Scene, hello: &ServerFields, key: &NullKey, params: &[u8]) -> Vec<u8> {
    // The client's random follows the headers of record and message and the version.
    let signed = [&scene.sent()[0][27..59], &hello.random, params].concat();
    let scheme = key.schemes()[0];
    let signature = key
        .sign(scheme, &signed, &SeededRandom::new(0))
        .now()
        .expect("a local key answers at once")
        .expect("a scheme of the key");
    written(|w| {
        w.bytes(params);
        w.u16(scheme.0);
        w.vec16(|w| w.bytes(&signature));
    })
}
