//! Durations in attributes: `"250ms"`, `"30s"`, `"7d"`.

use syn::LitStr;

/// Units and their milliseconds. A unit comes before those that its name ends with: `ms` before
/// `s`.
const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Parses a duration into milliseconds.
pub(crate) fn parse_ms(literal: &LitStr) -> syn::Result<u64> {
    let text = literal.value();
    let parsed = UNITS.iter().find_map(|(unit, unit_ms)| {
        let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(*unit_ms)
    });
    parsed.ok_or_else(|| {
        let message = format!(
            "'{text}' is not a duration; write a number followed by ms, s, m, h, or d, like \"30s\""
        );
        syn::Error::new(literal.span(), message)
    })
}
