//! How large values are where nothing is shared.

use datafusion::arrow::array::{Array, AsArray};

/// Bytes of an array's values, each counted where it occurs: a view may name the same bytes often.
pub(crate) fn of(array: &dyn Array) -> u64 {
    if let Some(texts) = array.as_string_view_opt() {
        return texts.lengths().map(u64::from).sum();
    }
    if let Some(bytes) = array.as_binary_view_opt() {
        return bytes.lengths().map(u64::from).sum();
    }
    if let Some(lists) = array.as_list_opt::<i32>() {
        // Offsets are never negative, and never less than the one before.
        let at = |offset: Option<&i32>| offset.and_then(|it| usize::try_from(*it).ok());
        let offsets = lists.offsets();
        let (from, until) = (at(offsets.first()).unwrap_or(0), at(offsets.last()).unwrap_or(0));
        return of(&lists.values().slice(from, until - from));
    }
    // What cannot be measured as a part of another array is measured as a whole.
    let bytes = array.to_data().get_slice_memory_size();
    bytes.unwrap_or_else(|_| array.get_array_memory_size()) as u64
}

/// Bytes of the largest of an array's values.
pub(crate) fn largest(array: &dyn Array) -> u64 {
    if let Some(texts) = array.as_string_view_opt() {
        return texts.lengths().max().map_or(0, u64::from);
    }
    if let Some(bytes) = array.as_binary_view_opt() {
        return bytes.lengths().max().map_or(0, u64::from);
    }
    (0..array.len()).map(|row| of(&array.slice(row, 1))).max().unwrap_or(0)
}
