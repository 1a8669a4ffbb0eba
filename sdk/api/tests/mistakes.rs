//! What the compiler says to the usual mistakes: at the user's line, with what to write instead.
//! `TRYBUILD=overwrite cargo test -p abide-sdk --test mistakes` writes the expected texts anew.

#[test]
fn mistakes_are_told_where_they_are() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
