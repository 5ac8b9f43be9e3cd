//! Cryptography for gramseal from aws-lc-rs.
