//! Messages from other partitions that wait for a turn.
//!
//! A sender keeps each message as a row until it is acknowledged, so the queue need not take all of
//! them. Once there is no memory for one, it and all later ones are dropped, whoever sent them, and
//! when there is memory again, all senders are asked for what they have. What they send is merged
//! by stamp: a message is never queued before another one that it may be a consequence of, even if
//! the two have different senders.

use std::collections::{BTreeMap, VecDeque};

use runtime_core::{PartitionId, event::Event, time::Stamp};

use crate::lanes::record_bytes;

/// The waiting messages.
pub(crate) struct Peers {
    queue: VecDeque<Event>,
    /// Bytes of the records that the messages in `queue` become.
    bytes: usize,
    bytes_max: usize,
    /// For each other partition, the sequence number of its message that comes after those that
    /// were queued.
    next: BTreeMap<PartitionId, u64>,
    recovery: Recovery,
    /// Whether the order between senders is not kept.
    #[cfg(feature = "simulation")]
    is_unsorted: bool,
}

/// Whether messages were dropped, and how far getting them again is.
#[derive(Debug)]
enum Recovery {
    /// None were dropped since all were there.
    Complete,
    /// Some were dropped.
    Missing,
    /// All senders have been asked for theirs. Holds those that have answered.
    Asked(BTreeMap<PartitionId, Resent>),
}

/// A number of a sender's messages in order, read from its rows.
#[derive(Debug)]
pub(crate) struct Resent {
    from: PartitionId,
    /// Sequence number that they were asked for from.
    first: u64,
    /// With the stamps of the records that sent them.
    messages: Vec<(Stamp, Event)>,
    bytes: usize,
    /// Sequence number of the message after them.
    next: u64,
    /// If there are more, a stamp that is not later than theirs.
    more_from: Option<Stamp>,
}

impl Peers {
    /// An empty queue that takes up to this many bytes, or a single message of any size.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            bytes_max,
            next: BTreeMap::new(),
            recovery: Recovery::Complete,
            #[cfg(feature = "simulation")]
            is_unsorted: false,
        }
    }

    /// Records where the messages of a sender continue after a start: with `next`, which is in its
    /// rows already if `is_owed`. Has to be called for every sender.
    pub(crate) fn starts(&mut self, from: PartitionId, next: u64, is_owed: bool) {
        self.next.insert(from, next);
        if is_owed {
            self.recovery = Recovery::Missing;
        }
    }

    /// Notes that messages of a sender may have been lost after they were queued.
    pub(crate) fn lost(&mut self, from: PartitionId) {
        self.starts(from, 0, true);
    }

    /// Queues a message, unless there is no memory for it or others were dropped before.
    pub(crate) fn push(&mut self, stamp: Stamp, event: Event) {
        let (from, sequence) = name_of(&event);
        let fits = self.queue.is_empty() || self.bytes + record_bytes(&event) <= self.bytes_max;
        match &mut self.recovery {
            Recovery::Complete if fits => {
                self.next.insert(from, sequence + 1);
                self.append(event);
            }
            Recovery::Complete => {
                self.next.entry(from).or_insert(sequence);
                self.recovery = Recovery::Missing;
            }
            Recovery::Missing => (),
            // What a sender sends before it answers is part of its answer.
            Recovery::Asked(answers) => {
                if let Some(answer) = answers.get_mut(&from) {
                    answer.add(stamp, event, self.bytes_max);
                }
            }
        }
    }

    /// Takes what a sender was asked for. Once all have answered, the messages are queued, as far
    /// as none can be missing that is to come before them.
    pub(crate) fn push_resent(&mut self, answer: Resent) {
        let Recovery::Asked(answers) = &mut self.recovery else { return };
        if self.next.get(&answer.from) != Some(&answer.first) {
            return; // It answers an earlier question.
        }
        answers.insert(answer.from, answer);
        if answers.len() < self.next.len() {
            return;
        }
        let answers = std::mem::take(answers);
        let horizon = answers.values().filter_map(|resent| resent.more_from).min();
        let mut messages = Vec::new();
        for (from, resent) in answers {
            self.next.insert(from, resent.next);
            messages.extend(resent.messages);
        }
        messages.sort_by_key(|(stamp, event)| (*stamp, name_of(event)));
        #[cfg(feature = "simulation")]
        if self.is_unsorted {
            messages.sort_by_key(|(_, event)| std::cmp::Reverse(name_of(event).0));
        }
        for (stamp, event) in messages {
            if horizon.is_none_or(|horizon| stamp <= horizon) {
                self.append(event);
            } else {
                // It is asked for again.
                let (from, sequence) = name_of(&event);
                let next = self.next.entry(from).or_insert(sequence);
                *next = sequence.min(*next);
            }
        }
        self.recovery = if horizon.is_some() { Recovery::Missing } else { Recovery::Complete };
    }

    fn append(&mut self, event: Event) {
        self.bytes += record_bytes(&event);
        self.queue.push_back(event);
    }

    /// The next message in the queue.
    pub(crate) fn front(&self) -> Option<&Event> {
        self.queue.front()
    }

    /// Takes the next message.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        let bytes = record_bytes(&event);
        assert!(
            bytes <= self.bytes,
            "a message of {bytes} bytes leaves a queue of {} bytes",
            self.bytes
        );
        self.bytes -= bytes;
        Some(event)
    }

    /// Puts a message back that was taken last.
    pub(crate) fn put_back(&mut self, event: Event) {
        self.bytes += record_bytes(&event);
        self.queue.push_front(event);
    }

    /// Number of messages in the queue.
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether the senders can be asked for messages that there was no memory for.
    pub(crate) fn may_ask(&self) -> bool {
        matches!(self.recovery, Recovery::Missing) && self.bytes <= self.bytes_max / 2
    }

    /// Whom to ask, and for which message first. Empty if nothing is missing, or there is no memory
    /// for it yet.
    pub(crate) fn ask(&mut self) -> Vec<(PartitionId, u64)> {
        if !self.may_ask() {
            return Vec::new();
        }
        self.recovery = Recovery::Asked(BTreeMap::new());
        self.next.iter().map(|(from, next)| (*from, *next)).collect()
    }

    /// Queues what was asked for by sender from now on, the last sender first.
    #[cfg(feature = "simulation")]
    pub(crate) fn unsort(&mut self) {
        self.is_unsorted = true;
    }

    /// Takes all messages out, for the simulator, which changes them to show that its checks can
    /// fail.
    #[cfg(feature = "simulation")]
    pub(crate) fn take_all(&mut self) -> Vec<Event> {
        self.bytes = 0;
        std::mem::take(&mut self.queue).into()
    }

    /// Puts such messages back.
    #[cfg(feature = "simulation")]
    pub(crate) fn put_all(&mut self, events: Vec<Event>) {
        self.bytes = events.iter().map(record_bytes).sum();
        self.queue = events.into();
    }
}

impl Resent {
    /// The messages of `from` in order, starting with number `first`, and the number of the one
    /// after them; `has_more` if the rows have that one already.
    pub(crate) fn new(
        from: PartitionId,
        first: u64,
        messages: Vec<(Stamp, Event)>,
        next: u64,
        has_more: bool,
    ) -> Self {
        let bytes = messages.iter().map(|(_, event)| record_bytes(event)).sum();
        let last = messages.last().map_or(Stamp(0), |(stamp, _)| *stamp);
        Self { from, first, messages, bytes, next, more_from: has_more.then_some(last) }
    }

    /// Bytes of its messages.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a message that the sender has sent since, if there is memory for it and none is missing
    /// before it.
    fn add(&mut self, stamp: Stamp, event: Event, bytes_max: usize) {
        if self.more_from.is_some() {
            return;
        }
        let bytes = self.bytes + record_bytes(&event);
        if bytes > bytes_max {
            self.more_from = Some(stamp);
            return;
        }
        self.bytes = bytes;
        self.next = name_of(&event).1 + 1;
        self.messages.push((stamp, event));
    }
}

/// The sender of a message and its sequence number.
fn name_of(event: &Event) -> (PartitionId, u64) {
    let Event::MessageReceived { from, sequence, .. } = event else {
        unreachable!("{event:?} is not a message from another partition");
    };
    (*from, *sequence)
}

#[cfg(test)]
mod tests {
    use protocol::{
        InvocationId, PartitionKey,
        journal::{NotificationResult, notification::SignalId},
    };
    use runtime_core::model::message::Message;

    use super::*;

    const ONE: PartitionId = PartitionId(1);
    const TWO: PartitionId = PartitionId(2);
    fn message(from: PartitionId, sequence: u64) -> Event {
        let to = InvocationId { partition_key: PartitionKey(0), uuid: 1 };
        let result = NotificationResult::Value(vec![0; 1000].into());
        let message = Message::Signal { to, signal: SignalId::Index(17), result };
        Event::MessageReceived { from, sequence, message }
    }

    /// Messages with these stamps, the first of which has the number that was asked for.
    fn resent(from: PartitionId, first: u64, stamps: &[u64], has_more: bool) -> Resent {
        let messages = (first..).zip(stamps);
        let messages: Vec<_> =
            messages.map(|(sequence, stamp)| (Stamp(*stamp), message(from, sequence))).collect();
        let next = first + messages.len() as u64;
        Resent::new(from, first, messages, next, has_more)
    }

    /// A queue with memory for two messages, and with two senders.
    fn peers() -> Peers {
        let mut peers = Peers::new(2 * record_bytes(&message(ONE, 1)));
        [ONE, TWO].iter().for_each(|from| peers.starts(*from, 1, false));
        peers
    }

    fn push(peers: &mut Peers, from: PartitionId, sequence: u64, stamp: u64) {
        peers.push(Stamp(stamp), message(from, sequence));
    }

    /// Takes all that wait.
    fn taken(peers: &mut Peers) -> Vec<(u16, u64)> {
        let event = std::iter::from_fn(|| peers.pop());
        event.map(|event| name_of(&event)).map(|(from, sequence)| (from.0, sequence)).collect()
    }

    #[test]
    fn a_message_without_memory_is_asked_for_and_nothing_overtakes_it() {
        let mut peers = peers();
        (1..=4).for_each(|sequence| push(&mut peers, ONE, sequence, sequence));
        assert!(peers.ask().is_empty(), "there is no memory yet");
        assert_eq!(taken(&mut peers), [(1, 1), (1, 2)]);
        push(&mut peers, TWO, 1, 5);
        assert!(taken(&mut peers).is_empty(), "it may be a consequence of what is missing");
        assert_eq!(peers.ask(), [(ONE, 3), (TWO, 1)]);
        assert!(peers.ask().is_empty(), "once");
        peers.push_resent(resent(TWO, 1, &[5], false));
        push(&mut peers, TWO, 2, 7);
        push(&mut peers, ONE, 5, 6);
        assert!(taken(&mut peers).is_empty(), "the other one has not answered");
        peers.push_resent(resent(ONE, 3, &[3, 4, 6], false));
        assert_eq!(taken(&mut peers), [(1, 3), (1, 4), (2, 1), (1, 5), (2, 2)], "by stamp");
        assert!(peers.ask().is_empty());
        push(&mut peers, ONE, 6, 8);
        assert_eq!(taken(&mut peers), [(1, 6)], "all is well again");
    }

    #[test]
    fn nothing_is_queued_before_what_a_sender_has_left() {
        let mut peers = peers();
        peers.starts(ONE, 1, true);
        assert_eq!(peers.ask(), [(ONE, 1), (TWO, 1)]);
        peers.push_resent(resent(ONE, 1, &[10, 30], true));
        peers.push_resent(resent(TWO, 1, &[20, 40], false));
        assert_eq!(taken(&mut peers), [(1, 1), (2, 1), (1, 2)]);
        assert_eq!(peers.ask(), [(ONE, 3), (TWO, 2)]);
        peers.push_resent(resent(TWO, 2, &[40], false));
        peers.push_resent(resent(ONE, 3, &[35], false));
        assert_eq!(taken(&mut peers), [(1, 3), (2, 2)]);
        assert!(peers.ask().is_empty());
    }

    #[test]
    fn what_comes_after_an_answer_may_have_to_be_asked_for_too() {
        let mut peers = peers();
        peers.starts(ONE, 1, true);
        peers.ask();
        peers.push_resent(resent(ONE, 1, &[1], false));
        (2..=4).for_each(|sequence| push(&mut peers, ONE, sequence, sequence * 10));
        peers.push_resent(resent(TWO, 1, &[25, 35], false));
        assert_eq!(taken(&mut peers), [(1, 1), (1, 2), (2, 1)], "not beyond what was dropped");
        assert_eq!(peers.ask(), [(ONE, 3), (TWO, 2)]);
    }

    #[test]
    fn an_answer_to_an_earlier_question_does_not_count() {
        let mut peers = peers();
        push(&mut peers, ONE, 1, 1);
        peers.starts(TWO, 1, true);
        assert_eq!(peers.ask(), [(ONE, 2), (TWO, 1)]);
        peers.lost(ONE);
        assert_eq!(peers.ask(), [(ONE, 0), (TWO, 1)]);
        peers.push_resent(resent(TWO, 1, &[], false));
        peers.push_resent(resent(ONE, 2, &[2], false));
        assert_eq!(taken(&mut peers), [(1, 1)]);
        peers.push_resent(Resent::new(ONE, 0, vec![(Stamp(1), message(ONE, 1))], 2, false));
        assert_eq!(taken(&mut peers), [(1, 1)], "a repetition, which the partition ignores");
    }

    #[test]
    fn a_single_message_may_have_any_size() {
        let mut peers = Peers::new(1);
        push(&mut peers, ONE, 1, 1);
        assert_eq!(taken(&mut peers), [(1, 1)]);
        peers.starts(ONE, 2, true);
        peers.ask();
        peers.push_resent(resent(ONE, 2, &[2], true));
        assert_eq!(taken(&mut peers), [(1, 2)]);
    }
}
