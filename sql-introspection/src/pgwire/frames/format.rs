//! What clients' messages look like, as far as their decoders rely on it: PostgreSQL's documentation,
//! *Message Formats*. After the first message, each begins with a byte that says its type; then
//! comes its length in four bytes, which counts itself.

use pgwire::messages::{
    copy::{
        MESSAGE_TYPE_BYTE_COPY_DATA as COPY_DATA, MESSAGE_TYPE_BYTE_COPY_DONE as COPY_DONE,
        MESSAGE_TYPE_BYTE_COPY_FAIL as COPY_FAIL,
    },
    extendedquery::{
        MESSAGE_TYPE_BYTE_BIND as BIND, MESSAGE_TYPE_BYTE_CLOSE as CLOSE,
        MESSAGE_TYPE_BYTE_DESCRIBE as DESCRIBE, MESSAGE_TYPE_BYTE_EXECUTE as EXECUTE,
        MESSAGE_TYPE_BYTE_FLUSH as FLUSH, MESSAGE_TYPE_BYTE_PARSE as PARSE,
        MESSAGE_TYPE_BYTE_SYNC as SYNC, TARGET_TYPE_BYTE_PORTAL, TARGET_TYPE_BYTE_STATEMENT,
    },
    simplequery::MESSAGE_TYPE_BYTE_QUERY as QUERY,
    startup::MESSAGE_TYPE_BYTE_PASSWORD_MESSAGE_FAMILY as PASSWORD,
    terminate::MESSAGE_TYPE_BYTE_TERMINATE as TERMINATE,
};

/// Which messages may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pgwire) enum Kind {
    /// The first one, or a request to cancel.
    Startup,
    /// The first one about a password, which says how it is proved.
    FirstLogin,
    /// Others about a password.
    Login,
    /// Those of whoever has been let in.
    Session,
}

/// What is wrong with a message.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::pgwire) enum Fault {
    Malformed(String),
    /// It has the right form, but a text in it is not UTF-8.
    NotText {
        /// Whether it belongs to the extended protocol.
        is_extended: bool,
    },
    /// The protocol is one that is not spoken.
    Version {
        major: u16,
        minor: u16,
    },
}

/// Messages that carry no query and no values are as long as this at most, in bytes. The library
/// takes no longer ones.
const SMALL_BYTES_MAX: usize = 10_000;

/// What a request to cancel says in place of a version.
const CANCEL: u32 = 80_877_102;
/// The version of the protocol whose minor ones are spoken or negotiated.
const MAJOR: u16 = 3;
/// Sizes of the secret in a request to cancel, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 4..=256;

/// How long the message at the beginning of some bytes is, its head included; `None` if there are
/// too few to tell.
///
/// # Errors
/// Returns an error if it can't be one of this kind.
pub(in crate::pgwire) fn length(kind: Kind, bytes: &[u8]) -> Result<Option<usize>, Fault> {
    let (bytes_max, head) = match (kind, bytes.first()) {
        (_, None) => return Ok(None),
        (Kind::Startup, _) => (SMALL_BYTES_MAX, 0),
        (Kind::Session, Some(&(QUERY | PARSE | BIND | COPY_DATA))) => (usize::MAX, 1),
        (
            Kind::Session,
            Some(&(CLOSE | DESCRIBE | EXECUTE | FLUSH | SYNC | TERMINATE | COPY_DONE | COPY_FAIL)),
        )
        | (Kind::FirstLogin | Kind::Login, Some(&PASSWORD)) => (SMALL_BYTES_MAX, 1),
        (Kind::FirstLogin | Kind::Login | Kind::Session, Some(&ty)) => {
            return fault(format!("type {ty} is not expected"));
        }
    };
    let Some(length) = bytes.get(head..).and_then(|it| it.first_chunk()) else { return Ok(None) };
    let length = i32::from_be_bytes(*length);
    match usize::try_from(length) {
        Ok(bytes) if (4..=bytes_max).contains(&bytes) => Ok(Some(head + bytes)),
        Ok(_) | Err(_) => fault(format!("it can't have {length} bytes")),
    }
}

/// Checks a whole message.
///
/// # Errors
/// Returns an error if a decoder could not rely on it.
pub(in crate::pgwire) fn check(kind: Kind, frame: &[u8]) -> Result<(), Fault> {
    let (ty, mut rest) = match (kind, frame) {
        (Kind::Startup, frame) => (None, Rest::of(frame)),
        (_, [ty, body @ ..]) => (Some(*ty), Rest::of(body)),
        (_, []) => return fault("it is empty".to_owned()),
    };
    rest.skip(4)?;
    match (kind, ty) {
        (Kind::Startup, _) | (_, None) => startup(&mut rest)?,
        (Kind::FirstLogin, _) => {
            rest.text()?;
            if let Some(bytes) = rest.size()? {
                rest.skip(bytes)?;
            }
        }
        (Kind::Login, _) | (Kind::Session, Some(COPY_DATA)) => rest.skip_all(),
        (Kind::Session, Some(QUERY | COPY_FAIL)) => rest.text()?,
        (Kind::Session, Some(PARSE)) => {
            rest.text()?;
            rest.text()?;
            let types = rest.count()?;
            rest.skip(4 * types)?;
        }
        (Kind::Session, Some(BIND)) => bind(&mut rest)?,
        (Kind::Session, Some(CLOSE | DESCRIBE)) => {
            let target = rest.bytes(1)?;
            if ![&[TARGET_TYPE_BYTE_STATEMENT][..], &[TARGET_TYPE_BYTE_PORTAL]].contains(&target) {
                return fault("it is about neither a statement nor a portal".to_owned());
            }
            rest.text()?;
        }
        (Kind::Session, Some(EXECUTE)) => {
            rest.text()?;
            rest.skip(4)?;
        }
        // The others have no body.
        (Kind::Session, Some(_)) => (),
    }
    if !rest.bytes.is_empty() {
        return fault(format!("it has {} bytes behind its end", rest.bytes.len()));
    }
    // Only once the form is right: a client is told of its encoding, and goes on.
    if rest.is_text {
        return Ok(());
    }
    let is_extended = matches!(ty, Some(PARSE | BIND | CLOSE | DESCRIBE | EXECUTE));
    Err(Fault::NotText { is_extended })
}

/// A version and settings, or a request to cancel.
fn startup(rest: &mut Rest<'_>) -> Result<(), Fault> {
    let version = rest.number::<4>()?;
    if u32::from_be_bytes(version) == CANCEL {
        rest.skip(4)?;
        let secret = rest.bytes.len();
        if !SECRET_BYTES.contains(&secret) {
            return fault(format!("a secret can't have {secret} bytes"));
        }
        rest.skip_all();
        return Ok(());
    }
    let [a, b, c, d] = version;
    let (major, minor) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    if major != MAJOR {
        return Err(Fault::Version { major, minor });
    }
    // Names and values, up to a name that is empty.
    while !rest.starts_with_end() {
        rest.text()?;
        rest.text()?;
    }
    rest.skip(1)
}

fn bind(rest: &mut Rest<'_>) -> Result<(), Fault> {
    rest.text()?;
    rest.text()?;
    let formats = rest.count()?;
    rest.skip(2 * formats)?;
    for _ in 0..rest.count()? {
        if let Some(bytes) = rest.size()? {
            rest.skip(bytes)?;
        }
    }
    let formats = rest.count()?;
    rest.skip(2 * formats)
}

/// What is left of a message.
struct Rest<'a> {
    bytes: &'a [u8],
    /// Whether all texts so far are UTF-8.
    is_text: bool,
}

impl<'a> Rest<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, is_text: true }
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            let left = self.bytes.len();
            return fault(format!("{count} more bytes are expected, and it has {left}"));
        };
        self.bytes = rest;
        Ok(taken)
    }

    fn skip(&mut self, count: usize) -> Result<(), Fault> {
        self.bytes(count).map(drop)
    }

    fn skip_all(&mut self) {
        self.bytes = &[];
    }

    fn number<const BYTES: usize>(&mut self) -> Result<[u8; BYTES], Fault> {
        match self.bytes(BYTES)?.first_chunk() {
            Some(number) => Ok(*number),
            None => fault("a number ends early".to_owned()),
        }
    }

    /// How many of something follow.
    fn count(&mut self) -> Result<usize, Fault> {
        self.number().map(|it| usize::from(u16::from_be_bytes(it)))
    }

    /// The size of a value, which is null if there is none.
    fn size(&mut self) -> Result<Option<usize>, Fault> {
        match i32::from_be_bytes(self.number()?) {
            -1 => Ok(None),
            size => match usize::try_from(size) {
                Ok(size) => Ok(Some(size)),
                Err(_) => fault(format!("a value can't have {size} bytes")),
            },
        }
    }

    /// A text, which ends with a zero.
    fn text(&mut self) -> Result<(), Fault> {
        let Some(end) = self.bytes.iter().position(|byte| *byte == 0) else {
            return fault("a text has no end".to_owned());
        };
        let text = self.bytes(end)?;
        self.is_text &= std::str::from_utf8(text).is_ok();
        self.skip(1)
    }

    fn starts_with_end(&self) -> bool {
        self.bytes.first() == Some(&0)
    }
}

fn fault<T>(what: String) -> Result<T, Fault> {
    Err(Fault::Malformed(what))
}
