//! What groups are for.

use gramseal_wire::NamedGroup;

/// How a group comes to a secret, which decides where it can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupKind {
    /// ECDHE, in both versions.
    Curve,
    /// DHE of 1.2 (RFC 7919).
    FiniteField,
    /// Encapsulation, alone or beside a curve: in 1.3 only, where the client speaks first
    /// (draft-ietf-tls-ecdhe-mlkem). Its shares hardly fit into one datagram with the rest of a hello.
    Encapsulation,
}

impl GroupKind {
    pub(crate) fn of(group: NamedGroup) -> Self {
        match group.0 {
            0x0100..=0x01FF => Self::FiniteField,
            // The numbers of curves in 1.2, those for private use included (RFC 8422 §9).
            0..=0x00FF | 0xFE00..=0xFEFF => Self::Curve,
            _ => Self::Encapsulation,
        }
    }

    pub(crate) fn is_for_13(self) -> bool {
        self != Self::FiniteField
    }
}

/// Whether `group` is one of RFC 7919.
pub(crate) fn is_finite_field(group: NamedGroup) -> bool {
    GroupKind::of(group) == GroupKind::FiniteField
}
