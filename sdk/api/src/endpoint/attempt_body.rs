//! An attempt as the body of a response: what the runtime sends drives the handler, and the
//! handler's messages are the body. There is no task and no channel in between.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use protocol::ProtocolVersion;
use sdk_core::{Site, Vm, VmOptions};

use super::{Handle, poll_budget::PollCost};
use crate::{
    attempt::{Attempt, Clock, Facts},
    context::Context,
    executor::Execution,
    service::HandlerSite,
};

/// A handler for which an attempt is about to start.
pub struct Opening {
    pub(super) service: &'static str,
    pub(super) handler: HandlerSite,
    pub(super) index: usize,
    pub(super) handle: Arc<Handle>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) cost: Arc<PollCost>,
}

/// One attempt: it reads a request body, and is itself a response body.
pub struct AttemptBody<B> {
    request: B,
    is_request_over: bool,
    /// Number of request bytes read so far.
    read_bytes: u64,
    state: BodyState,
    is_over: bool,
    cost: Arc<PollCost>,
}

enum BodyState {
    /// The journal is still arriving.
    Loading(Box<Vm>, Opening),
    Running(Box<Execution>),
    /// The handler is dropped, and all of its output has been taken.
    Ended,
}

impl Opening {
    /// Starts an attempt that reads this request body.
    pub fn attempt<B>(self, version: ProtocolVersion, request: B) -> AttemptBody<B> {
        self.attempt_with(version, VmOptions::default(), request)
    }

    /// Like [`attempt`](Self::attempt), but with custom options, for tests.
    pub(crate) fn attempt_with<B>(
        self,
        version: ProtocolVersion,
        options: VmOptions,
        request: B,
    ) -> AttemptBody<B> {
        let vm = Box::new(Vm::new(version, options));
        let cost = Arc::clone(&self.cost);
        let state = BodyState::Loading(vm, self);
        AttemptBody { request, is_request_over: false, read_bytes: 0, state, is_over: false, cost }
    }

    /// Starts the handler, once all known journal entries have arrived.
    fn begin(self, mut vm: Box<Vm>) -> Execution {
        vm.locate(Site::Handler(self.handler.line));
        let (headers, input) = vm.take_input().unwrap_or_default();
        let start = vm.start();
        let facts = Facts {
            service: self.service,
            handler: self.handler.name,
            invocation_id: start.map(|start| start.debug_id.clone()).unwrap_or_default(),
            key: start.map(|start| start.key.clone()).unwrap_or_default(),
            headers,
            idempotency_key: start.and_then(|start| start.idempotency_key.clone()),
            scope: start.and_then(|start| start.scope.clone()),
            limit_key: start.and_then(|start| start.limit_key.clone()),
            retry_count: start.map_or(0, |start| start.retry_count),
            random_seed: vm.random_seed(),
            clock: self.clock,
        };
        let attempt = Arc::new(Attempt::new(vm, facts, input));
        let ctx = Context { attempt: Arc::clone(&attempt) };
        let handling = (self.handle)(self.index, ctx);
        Execution::new(attempt, handling)
    }
}

impl BodyState {
    fn with_vm<T>(&mut self, work: impl FnOnce(&mut Vm) -> T) -> Option<T> {
        match self {
            Self::Loading(vm, _) => Some(work(vm)),
            Self::Running(execution) => Some(work(&mut execution.attempt().lock().vm)),
            Self::Ended => None,
        }
    }

    /// Starts the handler once its journal has arrived.
    fn advance(&mut self) {
        *self = match std::mem::replace(self, Self::Ended) {
            Self::Loading(vm, opening) if vm.is_ready_to_run() => {
                Self::Running(Box::new(opening.begin(vm)))
            }
            state @ (Self::Loading(..) | Self::Running(_) | Self::Ended) => state,
        };
    }
}

impl<B> AttemptBody<B> {
    /// The poll cost of the handler.
    pub(super) fn cost(&self) -> &PollCost {
        &self.cost
    }

    /// How many bytes have arrived, if the journal is not complete yet.
    pub(super) fn loading(&self) -> Option<u64> {
        matches!(self.state, BodyState::Loading(..)).then_some(self.read_bytes)
    }

    /// Whether the closure of a run is being executed, the only thing that takes real time.
    pub fn is_executing(&self) -> bool {
        match &self.state {
            BodyState::Running(execution) => execution.is_executing(),
            BodyState::Loading(..) | BodyState::Ended => false,
        }
    }

    /// An error message for the author of the handler, if it waits for something that is not in the
    /// journal and so is lost with the attempt.
    pub fn stray_wait(&self) -> Option<String> {
        match &self.state {
            BodyState::Running(execution) => execution.stray_wait(),
            BodyState::Loading(..) | BodyState::Ended => None,
        }
    }
}

impl<B: Body + Unpin> AttemptBody<B> {
    /// Reads everything that has arrived; true if there was anything. A broken request is treated
    /// like one that has ended.
    fn read(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let mut has_read = false;
        while !self.is_request_over {
            // Invalid input is reported on the wire, which ends the attempt.
            match Pin::new(&mut self.request).poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(mut data) = frame.into_data() {
                        let bytes = data.copy_to_bytes(data.remaining());
                        self.read_bytes += bytes.len() as u64;
                        let _ = self.state.with_vm(|vm| vm.push(bytes));
                    }
                }
                Poll::Ready(Some(Err(_)) | None) => {
                    self.is_request_over = true;
                    let _ = self.state.with_vm(Vm::close_input);
                }
            }
            has_read = true;
        }
        has_read
    }
}

impl<B: Body + Unpin> Body for AttemptBody<B> {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        loop {
            let has_read = self.read(cx);
            self.state.advance();
            if let BodyState::Running(execution) = &mut self.state
                && execution.drive(cx).is_ready()
            {
                self.is_over = true;
            }
            if self.state.with_vm(|vm| vm.has_ended()).unwrap_or(true) {
                self.is_over = true;
            }
            let output = self.state.with_vm(Vm::take_output).unwrap_or_default();
            if self.is_over {
                // Drop the handler before its final message is sent.
                self.state = BodyState::Ended;
            }
            if !output.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(output))));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            if !has_read {
                return Poll::Pending;
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
