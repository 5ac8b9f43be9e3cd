//! The key schedule of DTLS 1.3: HKDF stages, each made of the one before (RFC 9846 §7).
//!
//! ```text
//!             0 or PSK -> Extract = EarlySecret     -> binder key, early traffic and exporter secrets
//! (EC)DHE shared, or 0 -> Extract = HandshakeSecret -> handshake traffic secrets
//!                    0 -> Extract = MainSecret      -> application traffic secrets, exporter secret,
//!                                                      resumption secret -> PSK of each ticket
//! ```
//!
//! Labels begin with "dtls13" (RFC 9147 §5.9). Nothing here allocates but the boxes that secrets lie
//! in, so that a move leaves no copy behind that nobody wipes.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use gramseal_wire::Random;
use zeroize::{Zeroize, Zeroizing};

use super::{Action, LoggedSecret};
use crate::config::Common;
use crate::crypto::{AeadAlgorithm, CryptoProvider, Digest, Hash, NONCE_LEN, RecordKeys13};
use crate::error::{Error, LocalFault};

/// RFC 9147 §5.9: without the space that TLS has at its end.
const LABEL_PREFIX: &[u8] = b"dtls13";

/// Some secret of the schedule, with the hash that it goes with.
pub(super) struct Secret {
    pub(super) hash: &'static dyn Hash,
    pub(super) bytes: Box<Digest>,
}

impl Secret {
    /// HKDF-Extract (RFC 5869 §2.2).
    fn extract(hash: &'static dyn Hash, salt: &[u8], input: &[u8]) -> Self {
        Self { hash, bytes: Box::new(hash.hmac(salt, input)) }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }

    /// HKDF-Expand-Label (RFC 9846 §7.1).
    fn expand(&self, label: &[u8], context: &[u8], out: &mut [u8]) {
        self.expand_prefixed(LABEL_PREFIX, label, context, out);
    }

    /// The same with labels that begin with `prefix`.
    fn expand_prefixed(&self, prefix: &[u8], label: &[u8], context: &[u8], out: &mut [u8]) {
        let len = u16::try_from(out.len()).unwrap_or(u16::MAX).to_be_bytes();
        let label_len = [u8::try_from(prefix.len() + label.len()).unwrap_or(u8::MAX)];
        let context_len = [u8::try_from(context.len()).unwrap_or(u8::MAX)];
        let info = [&len[..], &label_len, prefix, label, &context_len, context];
        self.hash.hkdf_expand(self.bytes(), &info, out);
    }

    /// The same to as many bytes as a digest has.
    fn expand_digest(&self, label: &[u8], context: &[u8]) -> Digest {
        let mut out = Zeroizing::new([0; Digest::MAX_LEN]);
        let (out, _) = out.split_at_mut(self.hash.algorithm().output_len());
        self.expand(label, context, out);
        Digest::new(out)
    }

    /// Another secret: Derive-Secret(secret, label, messages that hash to `transcript`).
    fn derive(&self, label: &[u8], transcript: &Digest) -> Self {
        Self { hash: self.hash, bytes: Box::new(self.expand_digest(label, transcript.as_ref())) }
    }

    /// The salt of the next stage: Derive-Secret(secret, "derived", "").
    fn salt(&self) -> Digest {
        self.expand_digest(b"derived", self.hash.digest(&[]).as_ref())
    }

    /// Gives the key log, if there is one, its line for this secret.
    fn log(&self, label: &'static str, common: &Common, client_random: &Random, out: &mut Vec<Action>) {
        if common.key_log.is_some() {
            out.push(Action::LogSecret(self.logged(label, client_random)));
        }
    }

    fn logged(&self, label: impl Into<Cow<'static, str>>, client_random: &Random) -> LoggedSecret {
        LoggedSecret {
            label: label.into(),
            client_random: client_random.0,
            secret: Zeroizing::new(self.bytes().to_vec()),
        }
    }
}

/// As many zeros as a digest has bytes: what stands for a secret that there is not.
fn zeros(hash: &'static dyn Hash) -> &'static [u8] {
    static ZEROS: [u8; Digest::MAX_LEN] = [0; Digest::MAX_LEN];
    ZEROS.get(..hash.algorithm().output_len()).unwrap_or(&ZEROS)
}

/// Where a pre-shared key comes from, as its binder says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A ticket.
    Resumption,
    /// From elsewhere, used as it is.
    External,
    /// From elsewhere, imported (RFC 9258 §5.2).
    Imported,
}

impl Origin {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Resumption => b"res binder",
            Self::External => b"ext binder",
            Self::Imported => b"imp binder",
        }
    }
}

/// Makes of `key`, which goes with `hash`, the one that `identity` stands for, in `len` bytes (RFC 9258 §5.1).
pub(super) fn import(hash: &'static dyn Hash, key: &[u8], identity: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
    import_for(LABEL_PREFIX, hash, key, identity, len)
}

fn import_for(prefix: &[u8], hash: &'static dyn Hash, key: &[u8], identity: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
    let mut imported = Zeroizing::new(alloc::vec![0; len]);
    let extracted = Secret::extract(hash, zeros(hash), key);
    extracted.expand_prefixed(prefix, b"derived psk", hash.digest(&[identity]).as_ref(), &mut imported);
    imported
}

/// The first stage.
pub(super) struct EarlySecret(Secret);

impl EarlySecret {
    /// Of a handshake without a pre-shared key.
    pub(super) fn without_psk(hash: &'static dyn Hash) -> Self {
        Self::with_psk(hash, zeros(hash))
    }

    /// Of a handshake that a pre-shared key authenticates.
    pub(super) fn with_psk(hash: &'static dyn Hash, psk: &[u8]) -> Self {
        Self(Secret::extract(hash, zeros(hash), psk))
    }

    /// The binder of a key from `origin`, in a hello that hashes to `transcript` up to its binders
    /// (RFC 9846 §4.3.11.2).
    pub(super) fn binder(&self, origin: Origin, transcript: &Digest) -> Digest {
        // Made as the content of a Finished is.
        TrafficSecret(self.0.derive(origin.label(), &self.0.hash.digest(&[]))).verify_data(transcript)
    }

    /// What early data is protected with, after a hello that hashes to `transcript`.
    pub(super) fn traffic(&self, transcript: &Digest) -> TrafficSecret {
        TrafficSecret(self.0.derive(b"c e traffic", transcript))
    }

    /// What early exporters begin with, after the same.
    pub(super) fn exporter(&self, transcript: &Digest) -> EarlyExporter {
        EarlyExporter(Exporter(self.0.derive(b"e exp master", transcript)))
    }

    /// Takes in what the key shares gave, if there were any.
    pub(super) fn into_handshake(self, shared: Option<&[u8]>) -> HandshakeSecret {
        let hash = self.0.hash;
        HandshakeSecret(Secret::extract(hash, self.0.salt().as_ref(), shared.unwrap_or_else(|| zeros(hash))))
    }
}

/// The second stage.
pub(super) struct HandshakeSecret(Secret);

impl HandshakeSecret {
    /// The traffic secrets of epoch 2, after the hellos that hash to `transcript`.
    pub(super) fn traffic(&self, transcript: &Digest) -> TrafficSecrets {
        TrafficSecrets::derive(&self.0, [b"c hs traffic", b"s hs traffic"], transcript)
    }

    pub(super) fn into_main(self) -> MainSecret {
        let hash = self.0.hash;
        MainSecret(Secret::extract(hash, self.0.salt().as_ref(), zeros(hash)))
    }
}

/// The last stage.
pub(super) struct MainSecret(Secret);

impl MainSecret {
    /// The traffic secrets of epoch 3, after a handshake that hashes to `transcript` up to the
    /// server's Finished.
    pub(super) fn traffic(&self, transcript: &Digest) -> TrafficSecrets {
        TrafficSecrets::derive(&self.0, [b"c ap traffic", b"s ap traffic"], transcript)
    }

    /// What exporters begin with, after the same.
    pub(super) fn exporter(&self, transcript: &Digest) -> Session13 {
        Session13 { exporter: Exporter(self.0.derive(b"exp master", transcript)), resumption: None }
    }

    /// What tickets are made of, after a handshake that hashes to `transcript` up to the client's
    /// Finished.
    pub(super) fn into_resumption(self, transcript: &Digest) -> ResumptionSecret {
        ResumptionSecret(self.0.derive(b"res master", transcript))
    }
}

/// What the keys of tickets come from.
pub(super) struct ResumptionSecret(pub(super) Secret);

impl ResumptionSecret {
    /// The key that goes with the ticket of this nonce (RFC 9846 §4.7.1).
    pub(super) fn psk(&self, nonce: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut psk = Zeroizing::new(zeros(self.0.hash).to_vec());
        self.0.expand(b"resumption", nonce, &mut psk);
        psk
    }
}

/// The traffic secrets of one epoch.
pub(super) struct TrafficSecrets {
    pub(super) client: TrafficSecret,
    pub(super) server: TrafficSecret,
}

impl TrafficSecrets {
    /// Those with these labels, the client's first, after messages that hash to `transcript`.
    fn derive(secret: &Secret, labels: [&[u8]; 2], transcript: &Digest) -> Self {
        let [client, server] = labels.map(|label| TrafficSecret(secret.derive(label, transcript)));
        Self { client, server }
    }

    /// Gives the key log, if there is one, its lines for epoch 2 (RFC 9850 §2).
    pub(super) fn log_handshake(&self, common: &Common, random: &Random, out: &mut Vec<Action>) {
        self.client.log("CLIENT_HANDSHAKE_TRAFFIC_SECRET", common, random, out);
        self.server.log("SERVER_HANDSHAKE_TRAFFIC_SECRET", common, random, out);
    }

    /// The same for epoch 3.
    pub(super) fn log_application(&self, common: &Common, random: &Random, out: &mut Vec<Action>) {
        self.client.log("CLIENT_TRAFFIC_SECRET_0", common, random, out);
        self.server.log("SERVER_TRAFFIC_SECRET_0", common, random, out);
    }
}

/// What the records of one side in one epoch are protected with.
pub(super) struct TrafficSecret(pub(super) Secret);

impl TrafficSecret {
    /// RFC 9846 §7.3, RFC 9147 §4.2.3.
    pub(super) fn record_keys(
        &self,
        algorithm: AeadAlgorithm,
        provider: &CryptoProvider,
    ) -> Result<RecordKeys13, Error> {
        let aead = provider.aead(algorithm).ok_or(LocalFault::MissingAlgorithm)?;
        let mut bytes = Zeroizing::new([0; 32]);
        let (key, _) = bytes.split_at_mut(algorithm.key_len());
        self.0.expand(b"sn", &[], key);
        let mask = aead.mask_key(key)?;
        self.0.expand(b"key", &[], key);
        let key = aead.key(key)?;
        let mut iv = [0; NONCE_LEN];
        self.0.expand(b"iv", &[], &mut iv);
        let keys = RecordKeys13 { algorithm, key, iv, mask };
        iv.as_mut_slice().zeroize();
        Ok(keys)
    }

    /// The secret of the same side's next epoch (RFC 9846 §7.2).
    pub(super) fn next(&self) -> Self {
        Self(Secret { hash: self.0.hash, bytes: Box::new(self.0.expand_digest(b"traffic upd", &[])) })
    }

    /// Gives the key log, if there is one, its line for it.
    pub(super) fn log(&self, label: &'static str, common: &Common, random: &Random, out: &mut Vec<Action>) {
        self.0.log(label, common, random, out);
    }

    /// The key log's line for it.
    pub(super) fn logged(&self, label: impl Into<Cow<'static, str>>, random: &Random) -> LoggedSecret {
        self.0.logged(label, random)
    }

    /// What the side must put into its Finished after messages that hash to `transcript`
    /// (RFC 9846 §4.5.3).
    pub(super) fn verify_data(&self, transcript: &Digest) -> Digest {
        let key = self.0.expand_digest(b"finished", &[]);
        self.0.hash.hmac(key.as_ref(), transcript.as_ref())
    }
}

/// What exporters begin with (RFC 9846 §7.5).
pub(super) struct Exporter(pub(super) Secret);

impl Exporter {
    /// How many bytes can be exported at once (RFC 5869 §2.3).
    fn max_len(&self) -> usize {
        255 * self.0.hash.algorithm().output_len()
    }

    fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) {
        let hash = self.0.hash;
        let exported = self.0.derive(label, &hash.digest(&[]));
        exported.expand(b"exporter", hash.digest(&[context]).as_ref(), out);
    }
}

/// The same for as long as there is early data.
pub(crate) struct EarlyExporter(Exporter);

impl EarlyExporter {
    /// How many bytes [`export`](Self::export) can give at once.
    pub(crate) fn max_len(&self) -> usize {
        self.0.max_len()
    }

    /// Keying material of the early exporter. No context and an empty one are the same.
    pub(crate) fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) {
        self.0.export(label, context, out);
    }

    /// Gives the key log, if there is one, its line.
    pub(super) fn log(&self, common: &Common, random: &Random, out: &mut Vec<Action>) {
        self.0.0.log("EARLY_EXPORTER_SECRET", common, random, out);
    }
}

/// What is left of the schedule when the handshake is done. Wiped when dropped.
pub(crate) struct Session13 {
    pub(super) exporter: Exporter,
    /// On a client that keeps tickets.
    pub(super) resumption: Option<ResumptionSecret>,
}

impl Session13 {
    /// The same, of a client that keeps the tickets to come.
    pub(super) fn with_resumption(self, resumption: ResumptionSecret) -> Self {
        Self { resumption: Some(resumption), ..self }
    }

    /// The key that goes with a ticket, if it is to be kept.
    pub(super) fn ticket_psk(&self, nonce: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.resumption.as_ref().map(|secret| secret.psk(nonce))
    }

    /// How many bytes [`export`](Self::export) can give at once.
    pub(crate) fn max_export(&self) -> usize {
        self.exporter.max_len()
    }

    /// Keying material for the application (RFC 9846 §7.5). No context and an empty one are the same.
    pub(crate) fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) {
        self.exporter.export(label, context, out);
    }

    /// Gives the key log, if there is one, its line.
    pub(super) fn log(&self, common: &Common, random: &Random, out: &mut Vec<Action>) {
        self.exporter.0.log("EXPORTER_SECRET", common, random, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gramseal_wire::extension::ImportedIdentity;
    use gramseal_wire::{Codec, ProtocolVersion, TlsKdf};

    use crate::crypto::HashAlgorithm;
    use crate::crypto::test_hash::{SHA256, SHA384};
    use crate::crypto::test_hex::unhex;

    fn digest(text: &str) -> Digest {
        Digest::new(&unhex(text))
    }

    fn is(secret: &Secret, text: &str) -> bool {
        secret.bytes.ct_eq(&unhex(text))
    }

    fn expands(secret: &TrafficSecret, label: &[u8], text: &str) {
        let mut out = unhex(text);
        out.fill(0);
        secret.0.expand(label, &[], &mut out);
        assert_eq!(out, unhex(text));
    }

    /// The handshake recorded at dtls.xargs.org, all of whose secrets are known: see
    /// `wire/tests/dtls13_xargs.rs`.
    #[test] // RFC 9846 §7.1, RFC 9147 §5.9
    fn every_secret_of_a_recorded_handshake_comes_out() {
        let early = EarlySecret::without_psk(&SHA256);
        assert!(is(&early.0, "33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a"));
        let handshake =
            early.into_handshake(Some(&unhex("df4a291baa1eb7cfa6934b29b474baad2697e29f1f920dcc77c8a0a088447624")));
        assert!(is(&handshake.0, "d0d1397bb3c445d37f26f7ed00c83b73d2f67540de3761465ffe524f8f944e12"));
        let hellos = digest("aee8eba0d2ee87052fbbc6864c1514c5a927d6f0ffb4f7954c7f379d95f1b1d7");
        let traffic = handshake.traffic(&hellos);
        assert!(is(&traffic.client.0, "33e472fb8d821b0193314626bebee307ccbd1aeb3d3a17ba468888ffc5246da1"));
        assert!(is(&traffic.server.0, "8ad7990b9d249bcbaa0805d8d3f3ad2259e75f3a42c5d84db3ea3c6ee57b3d38"));
        let main = handshake.into_main();
        assert!(is(&main.0, "afe0c702741bd3a2a76d4dbb168e60a03816c0c232fa50bd34ef029fa851d990"));
        let finished = digest("77ff5eee528abc269960b0ea316eb8578dc8325d86ec1336ffe4b2941e26d82b");
        let application = main.traffic(&finished);
        assert!(is(&application.client.0, "a9185352f61134f1d24eaa4a930fff2edca40ce8c06420848deb27699e9baf2c"));
        assert!(is(&application.server.0, "4ab12ae4022fc013eca21abb071e13aa24a150e3876c660fe0ed10a8eebd8f17"));
        assert!(is(
            &main.exporter(&finished).exporter.0,
            "6c9c3ccd6f1c17356c5369de372df4ccf63a9bd32aad23529302535fc84cee32"
        ));

        expands(&traffic.server, b"key", "004e03e64ab6cba6b542775ec230e20a");
        expands(&traffic.server, b"iv", "6d9924be044ee97c624913f2");
        expands(&traffic.server, b"sn", "7173fac51194e775001d625ef69d7c9f");
        expands(&application.client, b"sn", "5cb5bd8bac29777c650c0dde22d16d47");
        // The client's Finished covers everything up to the server's.
        let verify_data = traffic.client.verify_data(&finished);
        assert!(verify_data.ct_eq(&unhex("6f2801396b0e90ebb4a3ba384abcfc6b24201abd81b316b2391da378377facf5")));
    }

    /// The secrets of the resumed handshake in RFC 8448 §3 and §4, as far as no label is in them. What has
    /// one was computed with a program that, with the labels of TLS, gives what stands there.
    #[test] // RFC 9846 §4.3.11.2, §4.7.1, §7.1
    fn the_secrets_of_a_recorded_resumption_come_out() {
        let main = MainSecret(Secret {
            hash: &SHA256,
            bytes: Box::new(digest("18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919")),
        });
        let finished = digest("209145a96ee8e2a122ff810047cc952684658d6049e86429426db87c54ad143d");
        let resumption = main.into_resumption(&finished);
        assert!(is(&resumption.0, "30e061dae61db7f70706f53fa852e52a5672bf51b96d77c16dc132bab68e2922"));
        assert_eq!(
            **resumption.psk(&[0, 0]),
            unhex("9837f255184c7f21ef1044bf4e411eff93a6f681c629321dc414131a77523a9b")
        );
        assert_eq!(**resumption.psk(&[1]), unhex("2918ff55f28b59677a62e519b0b0fc6ef96375c4351d9410329ad8f59de09c3e"));

        let psk = unhex("4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3");
        let early = EarlySecret::with_psk(&SHA256, &psk);
        assert!(is(&early.0, "9b2188e9b2fc6d64d71dc329900e20bb41915000f678aa839cbb797cb7d8332c"));
        let hello = digest("63224b2e4573f2d3454ca84b9d009a04f6be9e05711a8396473aefa01e924a14");
        let binder = early.binder(Origin::Resumption, &hello);
        assert!(binder.ct_eq(&unhex("092405d833f5a2ba553e00f695e7cda7c6acaf4b11b4e6a834a1b2c28e3a5922")));
        // RFC 8448 §4: after its hello with the binder.
        let hello = digest("08ad0fa05d7c7233b1775ba2ff9f4c5b8b59276b7f227f13a976245f5d960913");
        let traffic = early.traffic(&hello);
        assert!(is(&traffic.0, "05def5252850dab5c14202b2b0b2bd09c8fbc96d6d100c9cc3edeab1de47a3bb"));
        let exporter = early.exporter(&hello);
        assert!(is(&exporter.0.0, "a4afe1901d38f68dc6c5115021813030f8eba99f01df83011359fb407711e480"));
        // RFC 8448 §4: with the share of its server.
        let shared = unhex("f44194756ff9ec9d25180635d66ea6824c6ab3bf179977be37f723570e7ccb2e");
        let salted = early.into_handshake(Some(&shared));
        let zeros = [0; 32];
        let alone = EarlySecret::with_psk(&SHA256, &psk).into_handshake(None);
        let of_zeros = EarlySecret::with_psk(&SHA256, &psk).into_handshake(Some(&zeros));
        assert!(alone.0.bytes.ct_eq(of_zeros.0.bytes()), "without an exchange there are zeros");
        assert!(!salted.0.bytes.ct_eq(of_zeros.0.bytes()));
    }

    #[test] // RFC 5869 §2.3
    fn output_longer_than_a_digest_goes_on_and_is_another_for_each_length() {
        let secret = Secret::extract(&SHA384, b"salt", b"input");
        let (mut long, mut short) = ([0; 100], [0; 48]);
        secret.expand(b"label", b"context", &mut long);
        secret.expand(b"label", b"context", &mut short);
        assert_ne!(long[..48], short, "the length is part of the label");
        assert!(long.chunks(48).all(|block| block.iter().any(|byte| *byte != 0)));
        assert_ne!(long[..48], long[48..96]);
    }

    #[test] // RFC 9846 §7.5
    fn label_and_context_make_exported_keys_differ() {
        let session = Session13 { exporter: Exporter(Secret::extract(&SHA256, b"salt", b"input")), resumption: None };
        let export = |label: &[u8], context: &[u8]| {
            let mut out = [0; 20];
            session.export(label, context, &mut out);
            out
        };
        assert_ne!(export(b"EXPORTER-a", &[]), export(b"EXPORTER-b", &[]));
        assert_ne!(export(b"EXPORTER-a", &[]), export(b"EXPORTER-a", &[0]));
    }

    /// Known answers for TLS 1.3, whose labels begin with "tls13 ", from the tests of Botan
    /// (`tls_13_psk_import.vec`): hash of the key, key, identity, context, hash of the suites, outcome.
    #[test] // RFC 9258 §5.1
    fn imported_keys_are_known() {
        let answers: [(&'static dyn Hash, &str, &str, &str, HashAlgorithm, &str); 6] = [
            (
                &SHA256,
                "4142434441424344414243444142434441424344414243444142434441424344",
                "psk1",
                "context1",
                HashAlgorithm::Sha256,
                "77cfa040c1e1ca63f0cd989dbefb28f5129625b08ce4f258bb825a9b0a4642a0",
            ),
            (
                &SHA256,
                "4142434441424344414243444142434441424344414243444142434441424344",
                "psk1",
                "context1",
                HashAlgorithm::Sha384,
                "3cb0eb3c10863c51a674df9f7b5900b47aa9353ba35c475b7ff6ad53f868ea97ee896b7b54460853340f699b91949d8d",
            ),
            (
                &SHA256,
                "4142434441424344414243444142434441424344414243444142434441424344",
                "psk1",
                "",
                HashAlgorithm::Sha256,
                "f38b065c368f79497cd9b2615d047e3415b62ce43b7eb6e1d0474cb5636fedb0",
            ),
            (
                &SHA256,
                "494a4b4c494a4b4c494a4b4c494a4b4c494a4b4c494a4b4c494a4b4c494a4b4c",
                "psk3",
                "context3",
                HashAlgorithm::Sha256,
                "64d6ffd17c8eb3a64558008681b2f7e5a338963a25c7d1c75f4f72196159db02",
            ),
            (
                &SHA384,
                "454647484546474845464748454647484546474845464748454647484546474845464748454647484546474845464748",
                "psk2",
                "context2",
                HashAlgorithm::Sha384,
                "fbc3670da40a25dfbe8132b2840a412a7fb3a93846c3111ee45609fe68b70d5c9dfabdfdb3268a52a604de3c33b65f1d",
            ),
            (
                &SHA384,
                "454647484546474845464748454647484546474845464748454647484546474845464748454647484546474845464748",
                "psk2",
                "context2",
                HashAlgorithm::Sha256,
                "02b3e806e32d41ebbd4ea0dc49c4a448c186df3e161e1f68bec1889e84fc4fcd",
            ),
        ];
        for (hash, key, external_identity, context, target, expected) in answers {
            let target_kdf = if target == HashAlgorithm::Sha256 { TlsKdf::HKDF_SHA256 } else { TlsKdf::HKDF_SHA384 };
            let identity = ImportedIdentity {
                external_identity: external_identity.as_bytes(),
                context: context.as_bytes(),
                // TLS 1.3
                target_protocol: ProtocolVersion(0x0304),
                target_kdf,
            };
            let identity = identity.to_vec().expect("short");
            let imported = import_for(b"tls13 ", hash, &unhex(key), &identity, target.output_len());
            assert_eq!(**imported, *unhex(expected), "{external_identity} {context} {target:?}");
        }
    }

    #[test] // RFC 9258 §5.2
    fn each_origin_has_a_binder_of_its_own() {
        let (early, hello) = (EarlySecret::with_psk(&SHA256, &[7; 32]), Digest::new(&[1; 32]));
        let [a, b, c] =
            [Origin::Resumption, Origin::External, Origin::Imported].map(|origin| early.binder(origin, &hello));
        assert!(!a.ct_eq(b.as_ref()) && !a.ct_eq(c.as_ref()) && !b.ct_eq(c.as_ref()));
    }

    #[test]
    fn each_stage_is_wiped_when_dropped() {
        crate::crypto::assert_wiped(|secret: &Secret| &*secret.bytes);
        crate::crypto::assert_wiped(|line: &LoggedSecret| &line.secret);
    }
}
