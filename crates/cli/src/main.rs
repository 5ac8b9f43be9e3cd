//! The gramseal program.

fn main() {}
