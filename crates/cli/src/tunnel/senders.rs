//! Who sends to a tunnel client now, told by addresses, and how many of them there may be.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use gramseal::proto::endpoint::Prefix;

use super::counts::Dropped;
use super::places::Bounds;
use super::sender::Sender;

/// All senders of one client.
#[derive(Default)]
pub(super) struct Senders {
    by_address: HashMap<SocketAddr, Arc<Sender>>,
    /// Counted, since each datagram of somebody who finds no room asks.
    of_network: HashMap<Prefix, usize>,
}

impl Senders {
    pub(super) fn find(&self, address: SocketAddr) -> Option<Arc<Sender>> {
        self.by_address.get(&address).cloned()
    }

    /// A new sender at `address`, also in place of one that is gone.
    ///
    /// # Errors
    /// Why there is no room for one.
    pub(super) fn begin(&mut self, address: SocketAddr, bounds: Bounds) -> Result<Arc<Sender>, Dropped> {
        let is_new = !self.by_address.contains_key(&address);
        if is_new && self.by_address.len() >= bounds.all {
            return Err(Dropped::TooManySenders);
        }
        let network = Prefix::of(address);
        if is_new && self.of_network.get(&network).is_some_and(|count| *count >= bounds.of_network) {
            return Err(Dropped::TooManyOfNetwork);
        }
        if is_new {
            *self.of_network.entry(network).or_default() += 1;
        }
        let sender = Arc::new(Sender::new(address));
        self.by_address.insert(address, Arc::clone(&sender));
        Ok(sender)
    }

    /// A sender is gone. Somebody new may be at its address already.
    pub(super) fn forget(&mut self, sender: &Arc<Sender>) {
        if !self.by_address.get(&sender.address).is_some_and(|there| Arc::ptr_eq(there, sender)) {
            return;
        }
        self.by_address.remove(&sender.address);
        let network = Prefix::of(sender.address);
        if let Some(count) = self.of_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.of_network.remove(&network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_makes_room_for_others_and_for_its_network() {
        let mut senders = Senders::default();
        let bounds = Bounds { all: 3, of_network: 2 };
        let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let begin = |senders: &mut Senders, text| senders.begin(address(text), bounds);
        let first = begin(&mut senders, "192.0.2.1:1").expect("room");
        begin(&mut senders, "192.0.2.1:2").expect("room");
        assert_eq!(begin(&mut senders, "192.0.2.9:3").err(), Some(Dropped::TooManyOfNetwork));
        begin(&mut senders, "198.51.100.1:1").expect("room");
        assert_eq!(begin(&mut senders, "203.0.113.1:1").err(), Some(Dropped::TooManySenders));
        // In place of one that is gone there is room in any case, and the old one takes nothing with it.
        let again = begin(&mut senders, "192.0.2.1:1").expect("its place");
        senders.forget(&first);
        assert!(Arc::ptr_eq(&senders.find(again.address).expect("it is there"), &again));
        senders.forget(&again);
        assert!(senders.find(again.address).is_none());
        begin(&mut senders, "192.0.2.9:3").expect("room");
        assert_eq!(begin(&mut senders, "192.0.2.1:1").err(), Some(Dropped::TooManySenders));
    }
}
