//! The search: which sequences of messages bring a connection to its end, of all that a peer with the keys can say.
//!
//! At each place of a legal order every word is said once. After a word that is wrong there, and of which the
//! connection under test does not say so at once, every word follows again unless the first was dropped; and then a
//! legal order goes on, with or without what was said out of turn. Messages left out, said twice, swapped and put in
//! are all among these.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use gramseal_proto::wire::{Codec, HandshakeType, ReturnRoutabilityCheck, RrcCookie};
use gramseal_testkit::peer::{Outcome, Scene, Scripted};
use gramseal_testkit::sim::Side;

/// What a peer says next, with keys, signatures and Finished that fit what it really said until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    /// A message with the next number.
    Message(HandshakeType),
    /// A ServerHello that is a HelloRetryRequest.
    Retry,
    /// ChangeCipherSpec, and the keys behind it (1.2).
    ChangeCipherSpec,
    /// A record of early data (1.3).
    EarlyData,
    /// A NewConnectionId whose ids are for now; as a message it has spare ones (1.3).
    ImmediateId,
    /// A record of return routability checks: a question, or an answer that nobody asked for.
    Path(Path),
}

/// What return routability checks are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Path {
    Challenge,
    Response,
    Drop,
}

impl Path {
    pub(crate) fn content(self) -> Vec<u8> {
        let cookie = RrcCookie([7; 8]);
        let check = match self {
            Self::Challenge => ReturnRoutabilityCheck::PathChallenge(cookie),
            Self::Response => ReturnRoutabilityCheck::PathResponse(cookie),
            Self::Drop => ReturnRoutabilityCheck::PathDrop(cookie),
        };
        check.to_vec().expect("nine bytes")
    }
}

/// All that has to do with connection ids.
pub(crate) const OF_IDS: [Word; 6] = [
    Word::Message(HandshakeType::REQUEST_CONNECTION_ID),
    Word::Message(HandshakeType::NEW_CONNECTION_ID),
    Word::ImmediateId,
    Word::Path(Path::Challenge),
    Word::Path(Path::Response),
    Word::Path(Path::Drop),
];

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(msg_type) => msg_type.fmt(f),
            Self::Retry => f.write_str("HelloRetryRequest"),
            Self::ChangeCipherSpec => f.write_str("(ChangeCipherSpec)"),
            Self::EarlyData => f.write_str("(early data)"),
            Self::ImmediateId => f.write_str("NewConnectionId (cid_immediate)"),
            Self::Path(Path::Challenge) => f.write_str("(path_challenge)"),
            Self::Path(Path::Response) => f.write_str("(path_response)"),
            Self::Path(Path::Drop) => f.write_str("(path_drop)"),
        }
    }
}

/// Where a connection under test is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    /// It has what it wanted: a handshake, or an answer.
    Done,
    Failed,
}

/// A connection under test and its peer.
pub(crate) trait Stage {
    fn say(&mut self, word: Word);
    fn state(&self) -> State;
    /// How many records were dropped.
    fn dropped(&mut self) -> u64;
    /// Lets so much time go by that a connection that still waits gives up.
    fn wait(&mut self);
}

/// A peer that says words.
pub(crate) trait Speaks {
    fn speak(&mut self, word: Word);
}

/// How long every handshake gives up before.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// Done when it is connected.
impl<P: Scripted> Stage for Scene<P>
where
    Self: Speaks,
{
    fn say(&mut self, word: Word) {
        self.speak(word);
    }

    fn state(&self) -> State {
        match self.outcome() {
            _ if self.was_connected() => State::Done,
            Outcome::Closed(_) => State::Failed,
            _ => State::Waiting,
        }
    }

    fn dropped(&mut self) -> u64 {
        self.connection().stats().discards.total()
    }

    fn wait(&mut self) {
        self.advance(LONG);
    }
}

/// A kind of handshake, with one side under test.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) under_test: Side,
    pub(crate) begin: Box<dyn Fn() -> Box<dyn Stage>>,
    /// All that a peer can say.
    pub(crate) words: Vec<Word>,
    /// The orders that the standards have.
    pub(crate) legal: Vec<Vec<Word>>,
}

/// What came of all sequences.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) accepted: BTreeSet<Vec<Word>>,
    /// How many ended the connection at their last word.
    pub(crate) refused: usize,
    /// How many it waited through until it gave up.
    pub(crate) ignored: usize,
}

/// What came of words, and of the last of them.
struct Said {
    /// Those that were said, without return routability checks that were dropped.
    words: Vec<Word>,
    state: State,
    dropped: bool,
}

impl Kind {
    /// Says `words` to a new connection, as far as it listens.
    fn play(&self, words: &[Word]) -> Said {
        let mut stage = (self.begin)();
        let mut said = Said { words: Vec::new(), state: stage.state(), dropped: false };
        for word in words {
            let before = stage.dropped();
            stage.say(*word);
            (said.state, said.dropped) = (stage.state(), stage.dropped() > before);
            if !(said.dropped && matches!(word, Word::Path(_))) {
                said.words.push(*word);
            }
            if said.state != State::Waiting {
                return said;
            }
        }
        stage.wait();
        assert_ne!(stage.state(), State::Done, "{}: completes later after {}", self.name, line(words));
        assert_eq!(stage.state(), State::Failed, "{}: waits for ever after {}", self.name, line(words));
        said
    }

    fn is_legal_so_far(&self, words: &[Word]) -> bool {
        self.legal.iter().any(|legal| legal.starts_with(words))
    }

    /// Searches all there is.
    pub(crate) fn explore(&self) -> Found {
        let mut found = Found::default();
        self.explore_from(&mut Vec::new(), 1, &mut found);
        for legal in &self.legal {
            assert!(found.accepted.contains(legal), "{}: not accepted: {}", self.name, line(legal));
        }
        found
    }

    /// Goes on from what was said; `astray` words may follow that no legal order has.
    fn explore_from(&self, said: &mut Vec<Word>, astray: usize, found: &mut Found) {
        for word in &self.words {
            said.push(*word);
            let played = self.play(said);
            if found.take(&played) {
                if self.is_legal_so_far(said) {
                    self.explore_from(said, astray, found);
                } else {
                    if !played.dropped && astray > 0 {
                        self.explore_from(said, astray - 1, found);
                    }
                    self.go_on_as_if_nothing_was(said, found);
                }
            }
            let _: Option<Word> = said.pop();
        }
    }

    /// Goes on behind a word that was wrong: as if it had not been said, as if it had taken the place of one or two of a
    /// legal order, with the word before it once more, and with the place where it belongs left out.
    fn go_on_as_if_nothing_was(&self, said: &[Word], found: &mut Found) {
        let good = (0..said.len()).rev().find(|len| self.is_legal_so_far(&said[..*len])).unwrap_or_default();
        let wrong = &said[good..];
        let mut rests = BTreeSet::new();
        for legal in self.legal.iter().filter(|legal| legal.starts_with(&said[..good])) {
            rests.extend((good.saturating_sub(1)..=good + 2).filter_map(|at| legal.get(at..)).map(<[Word]>::to_vec));
            let mut without = legal[good..].to_vec();
            without.retain(|word| !wrong.contains(word));
            rests.insert(without);
        }
        for rest in rests.iter().filter(|rest| !rest.is_empty()) {
            let _: bool = found.take(&self.play(&[said, rest].concat()));
        }
    }
}

impl Found {
    /// Takes in what came of a sequence; whether the connection still waits.
    fn take(&mut self, said: &Said) -> bool {
        match said.state {
            State::Waiting => self.ignored += 1,
            State::Failed => self.refused += 1,
            State::Done => _ = self.accepted.insert(said.words.clone()),
        }
        said.state == State::Waiting
    }
}

/// The words as they stand in the table.
pub(crate) fn line(words: &[Word]) -> String {
    words.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The same with one ChangeCipherSpec where several follow each other.
fn without_repeated_switches(words: &[Word]) -> Vec<Word> {
    let mut words = words.to_vec();
    words.dedup_by(|next, word| *next == Word::ChangeCipherSpec && next == word);
    words
}

/// The table of several kinds: each with what is accepted, shortest first.
pub(crate) fn table(kinds: impl IntoIterator<Item = Kind>) -> String {
    let mut sections = BTreeMap::new();
    let only = std::env::var("ORDERS_OF").ok();
    for (index, kind) in kinds.into_iter().enumerate() {
        if only.as_ref().is_some_and(|only| !kind.name.contains(only.as_str())) {
            continue;
        }
        let found = kind.explore();
        let side = if kind.under_test == Side::Client { "client" } else { "server" };
        let mut text = format!("## {}: the {side} accepts\n\n", kind.name);
        let mut accepted: Vec<_> = found.accepted.iter().map(|words| without_repeated_switches(words)).collect();
        accepted.sort_by_key(|words| (words.len(), words.clone()));
        accepted.dedup();
        accepted.iter().for_each(|words| text += &format!("- {}\n", line(words)));
        let Found { refused, ignored, .. } = found;
        text +=
            &format!("\nOf the other sequences it refuses {refused}, and waits through {ignored} until it gives up.\n");
        sections.insert(index, text);
    }
    sections.into_values().collect::<Vec<_>>().join("\n")
}

/// Messages of these types.
pub(crate) fn messages(types: &[HandshakeType]) -> Vec<Word> {
    types.iter().copied().map(Word::Message).collect()
}
