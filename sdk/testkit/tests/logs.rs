//! What handlers log appears once, however often they run, and names the invocation.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use abide_sdk::{OncePerStep, prelude::*};
use abide_test::TestRuntime;
use tracing_subscriber::{fmt::MakeWriter, prelude::*};

struct Talker;

#[service]
impl Talker {
    pub async fn talk(&self, ctx: &Context) -> Result<()> {
        tracing::info!("first");
        ctx.run("one", async || Ok(())).await?;
        tracing::info!("second");
        ctx.sleep(1.hours()).await?;
        tracing::info!("third");
        ctx.run("two", async || Ok(())).await?;
        tracing::info!("fourth");
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Captures what this thread logs from now on.
fn capture() -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let layer = tracing_subscriber::fmt::layer().with_writer(lines.clone()).with_ansi(false);
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(OncePerStep));
    (lines, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn each_line_is_logged_once_with_its_invocation() {
    let (lines, _guard) = capture();
    let abide = TestRuntime::new().bind(Talker).replay_every_step().start();
    let talk = Talker::client(&abide).send().talk().await.unwrap();
    talk.attach().await.unwrap();
    let text = lines.text();
    let said: Vec<&str> = text.lines().filter(|line| line.contains("logs")).collect();
    let words: Vec<&str> = said.iter().filter_map(|line| line.rsplit(' ').next()).collect();
    assert_eq!(words, ["first", "second", "third", "fourth"], "{text}");
    assert!(said.iter().all(|line| line.contains(talk.id())), "{text}");
    assert!(said.iter().all(|line| line.contains("Talker")), "{text}");
}

struct Unlucky(AtomicU32);

#[service]
impl Unlucky {
    pub async fn third_time(&self, _ctx: &Context) -> Result<()> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Err("the disk is on fire".into()),
            1 => panic!("so is the other one"),
            _ => Ok(()),
        }
    }
}

/// The operator of a service must see why it fails without reading the runtime's log.
#[tokio::test]
async fn a_failing_attempt_is_told_where_the_handler_runs() {
    let (lines, _guard) = capture();
    let abide = TestRuntime::new().bind(Unlucky(AtomicU32::new(0))).start();
    Unlucky::client(&abide).third_time().await.unwrap();
    let text = lines.text();
    let said: Vec<&str> = text.lines().filter(|line| line.contains("WARN")).collect();
    let [first, second] = &said[..] else { panic!("{text}") };
    for (line, why) in [(first, "the disk is on fire"), (second, "so is the other one")] {
        assert!(line.contains(why) && line.contains("handler=\"third_time\""), "{line}");
        assert!(line.contains("invocation_id=\"inv_"), "{line}");
    }
}
