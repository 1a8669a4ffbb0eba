//! Services on any Rust SDK, as a process that accepts requests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{Error, Result, ports, process::Process};

/// Time limit for the program to listen; services bind early.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(10);

/// HTTP/2 with prior knowledge: the preface and no settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// A frame header: this many bytes, with the type at index 3.
const FRAME_HEAD_BYTES: usize = 9;
const SETTINGS: u8 = 4;

/// Starts a services program on a free port, and waits until it responds in HTTP/2.
///
/// # Errors
/// Returns an error if the program does not start, exits, or responds in another protocol.
pub fn start(program: &str) -> Result<(Process, SocketAddr)> {
    let address = ports::free()?;
    let mut command = Command::new(program);
    command.arg(format!("--bind={address}"));
    let mut process = Process::spawn("the services", command)?;
    let stream = connect(&mut process, address)?;
    match first_frame(stream).map_err(Error::about(address))? {
        SETTINGS => Ok((process, address)),
        other => Err(Error::new(format!(
            "{address} responds with a frame of type {other}, expected SETTINGS"
        ))),
    }
}

fn connect(process: &mut Process, address: SocketAddr) -> Result<TcpStream> {
    let deadline = Instant::now() + LISTEN_TIMEOUT;
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return Ok(stream),
            Err(error) if Instant::now() > deadline => return Err(Error::about(address)(error)),
            Err(_) => process.check()?,
        }
        sleep(PAUSE);
    }
}

/// Returns the type of the first frame received after the preface.
fn first_frame(mut stream: TcpStream) -> std::io::Result<u8> {
    stream.set_read_timeout(Some(LISTEN_TIMEOUT))?;
    stream.write_all(PREFACE)?;
    let mut head = [0; FRAME_HEAD_BYTES];
    stream.read_exact(&mut head)?;
    Ok(head[3])
}
