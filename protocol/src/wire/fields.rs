//! How many fields a message has, counted before it is decoded: an empty one takes two bytes to send and a
//! hundred to hold.
//!
//! For what an SDK sends alone. What is stored was taken once, and is never refused again.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::{MessageType, WireError, frame::Frame};

/// Fields of a message, those of a repeated one each counted: headers, keys, metadata. Far more than
/// anybody needs, and few enough that they are held in some megabytes.
pub const FIELDS_MAX: usize = 1 << 16;

/// Counts the fields of a frame's body, and of those fields of it that have repeated ones themselves.
///
/// # Errors
/// When there are too many. A body that cannot be read is left to whoever decodes it.
pub fn check(frame: &Frame) -> Result<(), WireError> {
    // Each field has a key and a length or a value.
    if frame.body.len() <= 2 * FIELDS_MAX {
        return Ok(());
    }
    let with_fields: &[u32] = match frame.ty {
        // They count their parts while they are decoded.
        MessageType::SUSPENSION | MessageType::AWAITING_ON => return Ok(()),
        // A failure has metadata, and keys are many.
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

/// Fields of a message and of these of its fields; stops when there are too many, and where it cannot be
/// read.
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

    /// So many empty fields with this tag.
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
        // The metadata of a failure.
        let run = MessageType::PROPOSE_RUN_COMPLETION;
        let metadata = empty_fields(3, FIELDS_MAX + 1);
        let nest = |tag: u8, inner: &[u8]| {
            let mut body = vec![tag << 3 | 2];
            prost::encoding::encode_varint(inner.len() as u64, &mut body);
            body.extend_from_slice(inner);
            body
        };
        assert_eq!(check_body(run, nest(15, &metadata)), too_many(run));
        // The same bytes as a value are a value.
        assert_eq!(check_body(run, nest(14, &metadata)), Ok(()));
        let cut = [nest(14, &metadata), vec![0xFF]].concat();
        assert_eq!(check_body(run, cut), Ok(()), "whoever decodes it will say so");
    }
}
