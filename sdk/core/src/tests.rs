//! Transcripts, replays of every prefix, and arrivals in any order.
