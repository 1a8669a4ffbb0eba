//! Where everything listens: a few ports after one another, on the loopback address alone.

use std::net::{Ipv4Addr, SocketAddr};

/// The addresses of one server and its services.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// The first port.
    pub base: u16,
}

impl Ports {
    /// Where requests come in.
    pub fn ingress(self) -> SocketAddr {
        self.at(0)
    }

    /// Where deployments are registered.
    pub fn admin(self) -> SocketAddr {
        self.at(1)
    }

    /// Where Restate's nodes would talk to one another.
    pub fn node(self) -> SocketAddr {
        self.at(2)
    }

    /// Where the services listen.
    pub fn service(self) -> SocketAddr {
        self.at(10)
    }

    /// Where the services tell how many handlers ran.
    pub fn tally(self) -> SocketAddr {
        self.at(11)
    }

    fn at(self, offset: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base + offset).into()
    }
}
