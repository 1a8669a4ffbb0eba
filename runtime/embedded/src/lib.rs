//! A node in one process and on one thread that advances only on request: the real turn, the real
//! recovery, the real log and tables, on virtual time and on media in memory that lose what was not
//! synced. The simulator and the test kit run it; neither needs a socket, a thread or a file.
//!
//! Reading order: [`node`] (what runs), [`edges`] (what it requests from the caller), [`media`]
//! (its storage), [`restore`] (storage made of a copy), [`clock`] (its time), [`pipe`] (the body of an attempt's request), [`random`].
//!
//! **Invariant:** nothing here decides when anything happens. The owner of the node does, and the
//! same decisions give the same node, byte for byte.

pub mod clock;
pub mod edges;
pub mod media;
pub mod node;
pub mod pipe;
pub mod random;
pub mod restore;

pub use clock::VirtualClock;
pub use edges::EdgeRequest;
pub use media::Media;
pub use node::EmbeddedNode;
pub use pipe::Pipe;
pub use random::Random;
