//! Listening addresses: consecutive ports on the loopback address.

use std::net::{Ipv4Addr, SocketAddr};

/// The addresses of one server and its services.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// The first port.
    pub base: u16,
}

impl Ports {
    /// The server's ingress.
    pub fn ingress(self) -> SocketAddr {
        self.at(0)
    }

    /// The server's admin API.
    pub fn admin(self) -> SocketAddr {
        self.at(1)
    }

    /// The address for communication between Restate nodes.
    pub fn node(self) -> SocketAddr {
        self.at(2)
    }

    /// The services.
    pub fn service(self) -> SocketAddr {
        self.at(10)
    }

    /// The services' handler tally.
    pub fn tally(self) -> SocketAddr {
        self.at(11)
    }

    fn at(self, offset: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base + offset).into()
    }
}
