//! Certificate chain verification for gramseal.
