//! The parts of a run. Each starts its own servers, in turn, and records samples.

mod bench;
mod bulk;
mod cell;
mod dashboards;
mod fsyncs;
mod idle;
mod load;
mod restart;
mod retained;
mod rows;
mod sql;

use crate::cli::RunArgs;
use crate::report;
use crate::sample::Part;

use bench::Bench;

/// Runs the requested parts and renders the report.
pub async fn run(args: RunArgs) -> anyhow::Result<String> {
    let mut bench = Bench::new(args)?;
    for part in bench.args.parts.clone() {
        match part {
            Part::Idle => Box::pin(idle::run(&mut bench)).await?,
            Part::Load => Box::pin(load::run(&mut bench)).await?,
            Part::Fsyncs => Box::pin(fsyncs::run(&mut bench)).await?,
            Part::Restart => Box::pin(restart::run(&mut bench)).await?,
            Part::Rows => Box::pin(rows::run(&mut bench)).await?,
            Part::Sql => Box::pin(sql::run(&mut bench)).await?,
            Part::Bulk => Box::pin(bulk::run(&mut bench)).await?,
            Part::Dashboards => Box::pin(dashboards::run(&mut bench)).await?,
        }
    }
    bench.progress(&format!("raw figures are in {}", bench.recorder.path().display()));
    Ok(report::render(bench.recorder.run()))
}
