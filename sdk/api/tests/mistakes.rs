//! Compiler errors for common mistakes: they point at the user's line and say what to write
//! instead. `TRYBUILD=overwrite cargo test -p abide-sdk --test mistakes` rewrites the expected
//! output.

#[test]
fn mistakes_are_told_where_they_are() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
