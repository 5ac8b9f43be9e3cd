//! The state machines, searched within a bound: for each kind of handshake and either role, a peer with the keys says
//! every message at each place of a legal order, and every one behind that if the connection still waits; then a legal
//! order goes on. So it leaves one out, repeats it, swaps two or puts one in, once. What goes wrong at two places that are
//! apart, or more than twice in a row, is not searched. What is accepted stands in `accepted12.md`, `accepted13.md` and
//! `accepted_later.md`; everything else of that ends in an error or never completes, and nothing panics (RFC 5246 §7.3,
//! RFC 9846 §4 and §A, RFC 6347 §4.2.2, RFC 9147 §5.2 and §9).
//!
//! The messages are numbered as they are said: what the network may do to them is not in question here.
//! `BLESS_ORDERS=1` writes the table anew.

mod dtls12;
mod dtls13;
mod explore;
mod later;

use std::path::PathBuf;

use explore::table;

const HEAD: &str = "\
# Orders of messages that are accepted

Written by `crates/testkit/tests/orders`, with `BLESS_ORDERS=1`. Each line is all that a peer says, up to the message
with which the side under test is done. ChangeCipherSpec adds nothing to the epoch of a record (RFC 6347 §4.2.5): a
second one behind the first does no harm, and is not shown. Nor are records of return routability checks that were
dropped (RFC 9853 §4, §5.4): nothing came of them.
";

fn compare(name: &str, table: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/orders").join(name);
    let text = format!("{HEAD}\n{table}");
    if std::env::var_os("BLESS_ORDERS").is_some() {
        std::fs::write(&path, &text).expect("the folder is there");
    }
    let golden = std::fs::read_to_string(&path).expect("the table is there");
    for (number, (golden, found)) in golden.lines().zip(text.lines()).enumerate() {
        assert_eq!(golden, found, "{name}, line {}", number + 1);
    }
    assert_eq!(golden.lines().count(), text.lines().count(), "{name}: lines");
}

#[test] // RFC 5246 §7.3, RFC 6347 §4.2.2
fn nothing_but_the_legal_orders_of_1_2_completes() {
    compare("accepted12.md", &table(dtls12::kinds()));
}

#[test] // RFC 9846 §4, RFC 9147 §5.2
fn nothing_but_the_legal_orders_of_1_3_completes() {
    compare("accepted13.md", &table(dtls13::kinds()));
}

#[test] // RFC 9846 §4.7, RFC 9147 §5.2, §9, RFC 5246 §7.4.1.1
fn nothing_but_the_legal_messages_follows_a_handshake() {
    compare("accepted_later.md", &table(later::kinds()));
}
