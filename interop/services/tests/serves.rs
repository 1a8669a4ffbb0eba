//! Checks that the program serves, which also makes cargo build it for the server's tests.

#[test]
fn the_services_listen() {
    e2e_harness::services::start(env!("CARGO_BIN_EXE_interop-services")).unwrap();
}
