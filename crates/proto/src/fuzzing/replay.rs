//! The replay window against the set of all numbers that it accepted.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use gramseal_wire::{Reader, SequenceNumber, Writer};

use super::input::Input;
use crate::discard::Discard;
use crate::record::ReplayWindow;

/// A size, then steps from number to number; a step of 0 writes the window down and goes on with what is read back.
///
/// # Panics
/// If window and set disagree.
pub fn replay_window(data: &[u8]) {
    let mut input = Input::new(data);
    let size = [64u32, 128, 192, 1024][usize::from(input.byte() % 4)];
    let mut window = ReplayWindow::new(size);
    let mut accepted = BTreeSet::new();
    let mut number = u64::from(input.word());
    while !input.is_empty() {
        number = step(&mut input, number);
        let expected = check(&accepted, u64::from(size), number);
        assert_eq!(window.check(SequenceNumber(number)), expected, "{number} is asked for");
        assert_eq!(window.accept(SequenceNumber(number)), expected, "{number} is received");
        if expected.is_ok() {
            accepted.insert(number);
        }
        if input.byte() == 0 {
            window = through_an_image(&window);
        }
        let highest = accepted.last().copied().unwrap_or_default();
        let edge = highest.saturating_sub(u64::from(size));
        for near in (edge.saturating_sub(2)..edge + 3).chain(number.saturating_sub(2)..number + 3) {
            let expected = check(&accepted, u64::from(size), near);
            assert_eq!(window.check(SequenceNumber(near)), expected, "{near}, near {number}");
        }
    }
}

fn step(input: &mut Input<'_>, from: u64) -> u64 {
    let (kind, by) = (input.byte(), i64::from(i16::from_ne_bytes(input.word().to_ne_bytes())));
    let by = match kind % 8 {
        0..=4 => by % 80,
        5 => by % 1200,
        6 => by,
        _ => by << 32,
    };
    from.saturating_add_signed(by).min(SequenceNumber::MAX.0)
}

fn check(accepted: &BTreeSet<u64>, size: u64, number: u64) -> Result<(), Discard> {
    if accepted.last().is_some_and(|highest| number + size <= *highest) {
        return Err(Discard::TooOld);
    }
    if accepted.contains(&number) { Err(Discard::Replayed) } else { Ok(()) }
}

fn through_an_image(window: &ReplayWindow) -> ReplayWindow {
    let mut bytes = Vec::new();
    let mut w = Writer::new(&mut bytes);
    window.write_image(&mut w);
    w.finish().expect("a short image");
    let mut r = Reader::new(&bytes);
    let read = ReplayWindow::read_image(&mut r).expect("an image of ours");
    assert!(r.is_empty(), "all of the image is read");
    read
}
