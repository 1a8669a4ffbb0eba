//! The program serves, which also makes cargo build it for the tests of the server.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_services_listen() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance-services"));
    let mut services = Killed(command.arg(format!("--bind={address}")).spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(error) => {
                assert!(services.0.try_wait().unwrap().is_none(), "the services have ended");
                assert!(Instant::now() < deadline, "{error}");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    };
    // HTTP/2 with prior knowledge: the preface is answered with a SETTINGS frame, type 4.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut header = [0; 9];
    stream.read_exact(&mut header).unwrap();
    assert_eq!(header[3], 4);
}
