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
    // What cannot be measured as a part of another array is measured as a whole.
    let bytes = array.to_data().get_slice_memory_size();
    bytes.unwrap_or_else(|_| array.get_array_memory_size()) as u64
}
