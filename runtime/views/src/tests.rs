//! Records in, views out. Lists are read in turns of any size, over rows in all layers.

mod change;
mod invocation;
mod journal;
mod objects;
mod outbox;
mod promise;
mod registry;
mod result;
mod state;
mod support;
mod timer;
mod wait;
mod why;
