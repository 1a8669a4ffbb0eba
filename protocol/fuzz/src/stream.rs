//! Fuzzes a stream of frames split at arbitrary points: nothing panics, the split does not matter,
//! and anything that decodes survives being encoded and decoded again.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use protocol::{
    ProtocolVersion,
    journal::Entry,
    wire::{
        self, WireError,
        control::{AttemptError, AwaitingOn, RunAck, RunProposal, Start, Suspension},
        frame::{Frame, FrameDecoder},
    },
};

const NEWEST: ProtocolVersion = ProtocolVersion::V7;
const BODY_BYTES_MAX: u32 = 4096;

fn frames(chunks: impl Iterator<Item = Bytes>) -> (Vec<Frame>, Option<WireError>, bool) {
    let mut decoder = FrameDecoder::new(BODY_BYTES_MAX);
    let mut frames = Vec::new();
    for chunk in chunks {
        decoder.push(chunk);
        loop {
            match decoder.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error), false),
            }
        }
    }
    (frames, None, decoder.is_empty())
}

/// Splits the stream into pieces of `length` bytes.
fn pieces(stream: &Bytes, length: usize) -> impl Iterator<Item = Bytes> {
    let stream = stream.clone();
    (0..stream.len()).step_by(length).map(move |at| stream.slice(at..stream.len().min(at + length)))
}

fn again<T: PartialEq + std::fmt::Debug>(
    read: Result<T, WireError>,
    write_and_read: impl Fn(&T) -> Result<T, WireError>,
) {
    if let Ok(read) = read {
        assert_eq!(write_and_read(&read).as_ref(), Ok(&read));
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&length, stream)) = input.split_first() else { return };
    let stream = Bytes::copy_from_slice(stream);
    let whole = frames(std::iter::once(stream.clone()));
    assert_eq!(frames(pieces(&stream, usize::from(length) + 1)), whole, "a split matters");

    let (decoded, _, is_complete) = whole;
    if is_complete {
        let mut bytes = BytesMut::new();
        decoded.iter().for_each(|frame| frame.encode(&mut bytes));
        assert_eq!(bytes, stream, "frames lose bytes");
    }
    for frame in decoded {
        let entry = Entry { ty: frame.ty, body: frame.body.clone() };
        again(wire::command::decode(&entry), |named| {
            wire::command::decode(&wire::command::encode(named, NEWEST))
        });
        again(wire::notification::decode(&entry), |notification| {
            wire::notification::decode(&wire::notification::encode(notification, NEWEST))
        });
        again(Start::decode(&frame), |start| Start::decode(&start.encode()));
        again(RunAck::decode(&frame), |ack| RunAck::decode(&ack.encode()));
        again(RunProposal::decode(&frame), |run| RunProposal::decode(&run.encode(NEWEST)));
        again(AwaitingOn::decode(&frame), |awaiting| AwaitingOn::decode(&awaiting.encode()));
        again(AttemptError::decode(&frame), |error| AttemptError::decode(&error.encode()));
        for version in [ProtocolVersion::V5, ProtocolVersion::V6, NEWEST] {
            again(Suspension::decode(&frame, version), |suspension| {
                Suspension::decode(&suspension.encode(version), version)
            });
        }
    }
});
