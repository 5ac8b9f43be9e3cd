//! Work for a profiler: `profile seal|open [bytes] [count] [cipher]` or
//! `profile handshake|preshared|preshared-raw|raw [index] [count]`. With `held [index] [count]` so many
//! idle pairs of connections are there at the end, for a profiler of memory. `flow ours|many|raw|quinn|plain [turns]`
//! sends over loopback and tells what that costs.

use std::env;
use std::process;
use std::str::FromStr;

use gramseal_bench::handshakes::{HANDSHAKES, PRESHARED};
use gramseal_bench::pair::Pair;
use gramseal_bench::records::{self, CIPHERS};
use gramseal_bench::sockets;

fn main() {
    let mut arguments = env::args().skip(1);
    let what = arguments.next().unwrap_or_default();
    match what.as_str() {
        "seal" | "open" => {
            let (size, count) = (number(arguments.next(), 1200), number(arguments.next(), 100_000));
            let cipher: usize = number(arguments.next(), 0);
            let profile = if what == "seal" { records::profile_seal } else { records::profile_open };
            profile(&CIPHERS[cipher], size, count);
        }
        "handshake" => {
            let index: usize = number(arguments.next(), 0);
            HANDSHAKES[index].profile(number(arguments.next(), 1000));
        }
        "preshared" => {
            let index: usize = number(arguments.next(), 0);
            PRESHARED[index].profile(number(arguments.next(), 10_000));
        }
        "preshared-raw" => {
            let index: usize = number(arguments.next(), 0);
            PRESHARED[index].profile_raw(number(arguments.next(), 10_000));
        }
        "raw" => {
            let index: usize = number(arguments.next(), 0);
            HANDSHAKES[index].profile_raw(number(arguments.next(), 1000));
        }
        "held" => {
            let index: usize = number(arguments.next(), 0);
            let configs = HANDSHAKES[index].configs();
            let held: Vec<Pair> = (0..number(arguments.next(), 100)).map(|_| Pair::idle(&configs)).collect();
            println!("{} pairs", held.len());
            // They are still there when the process ends.
            process::exit(0);
        }
        "flow" => sockets::watch(&arguments.next().unwrap_or_default(), number(arguments.next(), 20)),
        _ => println!(
            "profile seal|open [bytes] [count] [cipher], profile handshake|preshared|preshared-raw|raw|held [index] [count], \
             or profile flow [kind] [turns]"
        ),
    }
}

fn number<T: FromStr>(argument: Option<String>, default: T) -> T {
    argument.and_then(|argument| argument.parse().ok()).unwrap_or(default)
}
