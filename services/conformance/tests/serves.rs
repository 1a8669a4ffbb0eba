//! The program serves. This test also makes cargo build it, for the tests of the server.

#[test]
fn the_services_listen() {
    e2e_harness::services::start(env!("CARGO_BIN_EXE_conformance-services")).unwrap();
}
