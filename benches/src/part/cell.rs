//! One cell of the tables: one workload at one concurrency on one server.

use std::time::Duration;

use crate::load::closed_loop::{ClosedLoop, LoadResult};
use crate::measure::meter::Usage;
use crate::sample::Metric;
use crate::server::Stand;
use crate::workload::Workload;

/// Time limit for sends to drain after the last one was accepted.
const DRAIN_LIMIT: Duration = Duration::from_secs(600);
const MEGABYTE: f64 = 1e6;

/// What to send, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) workload: Workload,
    pub(super) concurrency: u64,
    pub(super) warm: Duration,
    pub(super) measured: Duration,
}

/// The result of a cell.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    outcome: LoadResult,
    usage: Usage,
}

impl Cell {
    pub(super) async fn measure(self, stand: &Stand) -> anyhow::Result<Measured> {
        if self.workload.outlives_answer() {
            self.burst(stand, self.warm).await?;
            return self.burst(stand, self.measured).await;
        }
        let span = async {
            tokio::time::sleep(self.measured).await;
            Ok(())
        };
        self.measure_during(stand, span).await
    }

    /// Measures from the end of the warm-up for as long as something else takes.
    pub(super) async fn measure_during(
        self,
        stand: &Stand,
        other: impl Future<Output = anyhow::Result<()>>,
    ) -> anyhow::Result<Measured> {
        let meter = stand.meter();
        let running = self.start(stand)?;
        tokio::time::sleep(self.warm).await;
        running.start_recording();
        let before = meter.read()?;
        other.await?;
        running.stop_recording();
        let after = meter.read()?;
        let outcome = running.finish().await;
        Ok(Measured { outcome, usage: before.until(&after) })
    }

    /// Sends for `duration` and then waits until everything sent has run. Time and work of both
    /// phases count, so a server gains nothing from accepting requests faster than it can run them.
    async fn burst(self, stand: &Stand, duration: Duration) -> anyhow::Result<Measured> {
        let meter = stand.meter();
        let finished_before = stand.tally().await?.finished;
        let before = meter.read()?;
        let running = self.start(stand)?;
        running.start_recording();
        tokio::time::sleep(duration).await;
        let outcome = running.finish().await;
        let expected = finished_before + outcome.completed;
        stand.wait_for_tally(DRAIN_LIMIT, |tally| tally.finished >= expected).await?;
        let after = meter.read()?;
        Ok(Measured { outcome, usage: before.until(&after) })
    }

    fn start(self, stand: &Stand) -> anyhow::Result<ClosedLoop> {
        let request = self.workload.request();
        ClosedLoop::start(stand.ingress(), &request, self.concurrency, u64::MAX)
    }
}

impl Measured {
    /// All metrics except fsyncs.
    pub(super) fn values(&self) -> Vec<(Metric, f64)> {
        let Self { outcome, usage } = self;
        let completed = outcome.completed as f64;
        let mut values = vec![
            (Metric::RequestsPerSecond, completed / usage.seconds),
            (Metric::RssMb, usage.rss_bytes / MEGABYTE),
            (Metric::OtherCores, usage.other_cores),
            (Metric::Errors, outcome.errors as f64),
            (Metric::Invocations, completed),
        ];
        if outcome.completed > 0 {
            values.extend([
                (Metric::P50Ms, outcome.latency_ms(0.5)),
                (Metric::P99Ms, outcome.latency_ms(0.99)),
                (Metric::ServerCpuUs, usage.server_cpu_us / completed),
                (Metric::ServiceCpuUs, usage.service_cpu_us / completed),
                (Metric::ClientCpuUs, usage.client_cpu_us / completed),
                (Metric::WrittenBytes, usage.written_bytes / completed),
            ]);
        }
        values
    }

    /// Fsyncs per request, if counted.
    pub(super) fn fsyncs(&self) -> Option<f64> {
        let counted = self.outcome.completed > 0;
        self.usage.fsyncs.filter(|_| counted).map(|fsyncs| fsyncs / self.outcome.completed as f64)
    }
}
