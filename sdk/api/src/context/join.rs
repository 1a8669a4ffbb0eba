//! Joins that tell the runtime what they wait for, so that joining a hundred futures wakes the
//! handler once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use protocol::journal::Combinator;
use sdk_core::WaitNode;

use super::{Call, Run};
use crate::{attempt::Attempt, error::Result, error::Terminal, future::Durable};

/// A future that waits for exactly one journaled result.
pub trait Single:
    Future<Output = Result<Self::Value, Terminal>> + Unpin + sealed::OfAttempt
{
    /// The success value of the future.
    type Value;
}

mod sealed {
    pub trait OfAttempt {
        fn attempt(&self) -> &super::Attempt;
    }
}

impl<T> sealed::OfAttempt for Durable<'_, T> {
    fn attempt(&self) -> &Attempt {
        Durable::attempt(self)
    }
}

impl<T> sealed::OfAttempt for Call<'_, T> {
    fn attempt(&self) -> &Attempt {
        self.answer.attempt()
    }
}

impl<T> sealed::OfAttempt for Run<'_, T> {
    fn attempt(&self) -> &Attempt {
        self.durable.attempt()
    }
}

impl<T> Single for Durable<'_, T> {
    type Value = T;
}

impl<T> Single for Call<'_, T> {
    type Value = T;
}

impl<T> Single for Run<'_, T> {
    type Value = T;
}

/// Waits for all futures, including those that fail. Any other join works too, but with this one a
/// suspended handler stays suspended until the last result has arrived, if the protocol (7 or
/// newer) can express it.
///
/// ```
/// # use abide_sdk::prelude::*;
/// # async fn example(ctx: &Context) -> Result<()> {
/// let sleeps = (1..=100).map(|n| ctx.sleep(n.minutes()));
/// let slept = join_all(sleeps).await;
/// # Ok(()) }
/// ```
pub fn join_all<F: Single>(futures: impl IntoIterator<Item = F>) -> JoinAll<F> {
    JoinAll(Joined::new(futures, Combinator::AllCompleted))
}

/// Waits for all futures, or for the first failure in journal order.
pub fn try_join_all<F: Single>(futures: impl IntoIterator<Item = F>) -> TryJoinAll<F> {
    TryJoinAll(Joined::new(futures, Combinator::AllSucceededOrFirstFailed))
}

/// The future of all results; see [`join_all`].
#[must_use = "futures do nothing unless polled"]
pub struct JoinAll<F: Single>(Joined<F>);

/// The future of all values or the first failure; see [`try_join_all`].
#[must_use = "futures do nothing unless polled"]
pub struct TryJoinAll<F: Single>(Joined<F>);

struct Joined<F: Single> {
    branches: Vec<Branch<F>>,
    combinator: Combinator,
    node: Option<WaitNode>,
}

enum Branch<F: Single> {
    Pending(F),
    Done(Option<F::Output>),
}

impl<F: Single> Joined<F> {
    fn new(futures: impl IntoIterator<Item = F>, combinator: Combinator) -> Self {
        let branches = futures.into_iter().map(Branch::Pending).collect();
        Self { branches, combinator, node: None }
    }

    /// Polls the pending futures. True if none is pending any more, or if `on_done` returns true.
    fn poll(
        &mut self,
        cx: &mut TaskContext<'_>,
        mut on_done: impl FnMut(&F::Output) -> bool,
    ) -> bool {
        let mut is_done = true;
        for branch in &mut self.branches {
            let Branch::Pending(future) = branch else { continue };
            let outer = enter(future.attempt(), &mut self.node, self.combinator);
            let polled = Pin::new(&mut *future).poll(cx);
            future.attempt().lock().node = outer;
            match polled {
                Poll::Pending => is_done = false,
                Poll::Ready(output) => {
                    let is_enough = on_done(&output);
                    *branch = Branch::Done(Some(output));
                    if is_enough {
                        return true;
                    }
                }
            }
        }
        is_done
    }

    fn take(&mut self) -> Vec<F::Output> {
        let done = std::mem::take(&mut self.branches).into_iter();
        done.filter_map(|branch| match branch {
            Branch::Done(output) => output,
            Branch::Pending(_) => None,
        })
        .collect()
    }
}

/// Enters the wait node of a combinator, and returns the enclosing one.
fn enter(attempt: &Attempt, node: &mut Option<WaitNode>, combinator: Combinator) -> WaitNode {
    let mut state = attempt.lock();
    let outer = state.node;
    state.node = *node.get_or_insert_with(|| state.vm.new_wait_node(outer, combinator));
    outer
}

impl<F: Single> Future for JoinAll<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        if self.0.poll(cx, |_| false) { Poll::Ready(self.0.take()) } else { Poll::Pending }
    }
}

impl<F: Single> Future for TryJoinAll<F> {
    type Output = Result<Vec<F::Value>, Terminal>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        if self.0.poll(cx, Result::is_err) {
            // The poll ends at the slot of the first failure, so that no other failure can precede
            // it.
            Poll::Ready(self.0.take().into_iter().collect())
        } else {
            Poll::Pending
        }
    }
}

impl<F: Single> Unpin for JoinAll<F> {}
impl<F: Single> Unpin for TryJoinAll<F> {}
