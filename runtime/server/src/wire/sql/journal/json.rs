//! JSON whose fields keep their order, and a limit on how much of an entry it shows.

use runtime_views::text::cut;
use serde::{Serialize, Serializer};

/// A JSON value.
pub(super) enum Json<'a> {
    Null,
    Number(u64),
    Text(String),
    /// An array with a number for each byte.
    Bytes(&'a [u8]),
    List(Vec<Json<'a>>),
    Object(Vec<(&'static str, Json<'a>)>),
}

impl Json<'_> {
    /// An object with a single field, as which a variant with content is written.
    pub(super) fn variant(name: &'static str, content: Self) -> Self {
        Self::Object(vec![(name, content)])
    }

    /// The name of a variant without content.
    pub(super) fn word(name: &str) -> Self {
        Self::Text(name.to_owned())
    }
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.collect_seq(*bytes),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(fields) => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

/// What is left of the bytes that may be shown of an entry. As JSON, a byte takes at most six.
pub(super) struct Room(usize);

/// Values and texts of an entry that are shown, in bytes. An entry may have 32 MiB, and a page of
/// a scan thousands of entries.
const SHOWN_BYTES_MAX: usize = 64 << 10;

/// What an item of a list takes besides its own text, in bytes.
const ITEM_BYTES: usize = 8;

impl Room {
    pub(super) fn for_entry() -> Self {
        Self(SHOWN_BYTES_MAX)
    }

    /// The bytes, or how many there are if they don't fit.
    pub(super) fn bytes<'a>(&mut self, bytes: &'a [u8]) -> Json<'a> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => {
                self.0 = left;
                Json::Bytes(bytes)
            }
            None => omitted("omitted_bytes", bytes.len()),
        }
    }

    /// The text, or its beginning with a note that it was cut.
    pub(super) fn text<'a>(&mut self, text: &str) -> Json<'a> {
        let shown = cut(text, self.0);
        self.0 = self.0.saturating_sub(shown.len());
        Json::Text(shown)
    }

    /// What is text by convention, such as a state key.
    pub(super) fn text_or_bytes<'a>(&mut self, bytes: &'a [u8]) -> Json<'a> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.text(text),
            Err(_) => self.bytes(bytes),
        }
    }

    /// The items, or the first of them and how many more there are.
    pub(super) fn list<'a, T>(
        &mut self,
        items: &'a [T],
        item: impl Fn(&mut Self, &'a T) -> Json<'a>,
    ) -> Json<'a> {
        let mut list = Vec::new();
        for (at, it) in items.iter().enumerate() {
            let Some(left) = self.0.checked_sub(ITEM_BYTES) else {
                list.push(omitted("omitted_items", items.len() - at));
                break;
            };
            self.0 = left;
            list.push(item(self, it));
        }
        Json::List(list)
    }
}

fn omitted<'a>(what: &'static str, count: usize) -> Json<'a> {
    Json::variant(what, Json::Number(count as u64))
}
