//! Counts the fields of a message before it is decoded: an empty field takes two bytes on the wire
//! and a hundred in memory.
//!
//! Applies only to messages received from SDKs. Stored messages were accepted once and are never
//! rejected later.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::{MessageType, WireError, frame::Frame};

/// Maximum number of fields in a message, counting each occurrence of a repeated field: headers,
/// keys, metadata. Far more than any real message has, and few enough to fit in a few megabytes.
pub const FIELDS_MAX: usize = 1 << 16;

/// Counts the fields of a frame's body, including those nested in fields that have repeated fields
/// themselves.
///
/// # Errors
/// Returns an error if there are too many. Malformed bodies are left for the decoder to report.
pub fn check(frame: &Frame) -> Result<(), WireError> {
    // Every field takes at least two bytes: a key, and a length or value.
    if frame.body.len() <= 2 * FIELDS_MAX {
        return Ok(());
    }
    let with_fields: &[u32] = match frame.ty {
        // Their decoder counts the parts itself.
        MessageType::SUSPENSION | MessageType::AWAITING_ON => return Ok(()),
        // Failures contain metadata, and state keys are a repeated field.
        MessageType::OUTPUT_COMMAND | MessageType::PROPOSE_RUN_COMPLETION => &[15],
        MessageType::COMPLETE_PROMISE_COMMAND | MessageType::COMPLETE_AWAKEABLE_COMMAND => &[3],
        MessageType::SEND_SIGNAL_COMMAND => &[6],
        MessageType::GET_EAGER_STATE_KEYS_COMMAND => &[14],
        _ => &[],
    };
    if count(&frame.body, with_fields) > FIELDS_MAX {
        return Err(WireError::TooManyFields { ty: frame.ty, limit: FIELDS_MAX });
    }
    Ok(())
}

/// Counts the fields of a message and of its fields in `with_fields`; stops above the limit and at
/// anything malformed.
fn count(mut body: &[u8], with_fields: &[u32]) -> usize {
    let mut fields = 0;
    while !body.is_empty() && fields <= FIELDS_MAX {
        let Ok((tag, wire_type)) = decode_key(&mut body) else { break };
        fields += 1;
        if wire_type != WireType::LengthDelimited || !with_fields.contains(&tag) {
            if skip_field(wire_type, tag, &mut body, DecodeContext::default()).is_err() {
                break;
            }
            continue;
        }
        let Ok(length) = decode_varint(&mut body) else { break };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some((nested, rest)) = body.split_at_checked(length) else { break };
        fields += count(nested, &[]);
        body = rest;
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` empty fields with this tag.
    fn empty_fields(tag: u8, count: usize) -> Vec<u8> {
        [tag << 3 | 2, 0].repeat(count)
    }

    fn check_body(ty: MessageType, body: Vec<u8>) -> Result<(), WireError> {
        check(&Frame { ty, flags: 0, body: body.into() })
    }

    #[test]
    fn many_fields_are_refused_where_they_are_repeated_and_long_values_are_not() {
        let too_many = |ty| Err(WireError::TooManyFields { ty, limit: FIELDS_MAX });
        let call = MessageType::CALL_COMMAND;
        assert_eq!(check_body(call, empty_fields(4, FIELDS_MAX)), Ok(()));
        assert_eq!(check_body(call, empty_fields(4, 15_000_000)), too_many(call));
        // A failure's metadata.
        let run = MessageType::PROPOSE_RUN_COMPLETION;
        let metadata = empty_fields(3, FIELDS_MAX + 1);
        let nest = |tag: u8, inner: &[u8]| {
            let mut body = vec![tag << 3 | 2];
            prost::encoding::encode_varint(inner.len() as u64, &mut body);
            body.extend_from_slice(inner);
            body
        };
        assert_eq!(check_body(run, nest(15, &metadata)), too_many(run));
        // The same bytes in a value field are opaque.
        assert_eq!(check_body(run, nest(14, &metadata)), Ok(()));
        let cut = [nest(14, &metadata), vec![0xFF]].concat();
        assert_eq!(check_body(run, cut), Ok(()), "the decoder reports it");
    }
}
