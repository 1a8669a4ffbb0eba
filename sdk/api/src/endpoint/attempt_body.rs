//! An attempt as the body of a response: what the runtime sends drives the handler, and what the
//! handler says is the body. There is no task and no channel in between.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use protocol::ProtocolVersion;
use sdk_core::{Options, Site, Vm};

use super::{Handle, allowance::Pace};
use crate::{
    attempt::{Attempt, Clock, Facts},
    context::Context,
    executor::Execution,
    service::HandlerSite,
};

/// A handler that was asked for.
pub struct Opening {
    pub(super) service: &'static str,
    pub(super) handler: HandlerSite,
    pub(super) index: usize,
    pub(super) handle: Arc<Handle>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) pace: Arc<Pace>,
}

/// One attempt: reads a request's body, is a response's.
pub struct AttemptBody<B> {
    request: B,
    is_request_over: bool,
    /// Bytes of the request.
    read_bytes: u64,
    stage: Stage,
    is_over: bool,
    pace: Arc<Pace>,
}

enum Stage {
    /// The journal is still coming in.
    Loading(Box<Vm>, Opening),
    Running(Box<Execution>),
    /// Nothing is left to be said.
    Ended,
}

impl Opening {
    /// Begins an attempt that reads this request.
    pub fn attempt<B>(self, version: ProtocolVersion, request: B) -> AttemptBody<B> {
        self.attempt_with(version, Options::default(), request)
    }

    /// The same, with other rules: for tests.
    pub(crate) fn attempt_with<B>(
        self,
        version: ProtocolVersion,
        options: Options,
        request: B,
    ) -> AttemptBody<B> {
        let vm = Box::new(Vm::new(version, options));
        let pace = Arc::clone(&self.pace);
        let stage = Stage::Loading(vm, self);
        AttemptBody { request, is_request_over: false, read_bytes: 0, stage, is_over: false, pace }
    }

    /// Everything known is there: the handler begins.
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

impl Stage {
    fn with_vm<T>(&mut self, work: impl FnOnce(&mut Vm) -> T) -> Option<T> {
        match self {
            Self::Loading(vm, _) => Some(work(vm)),
            Self::Running(execution) => Some(work(&mut execution.attempt().lock().vm)),
            Self::Ended => None,
        }
    }

    /// Begins the handler when the journal is there.
    fn advance(&mut self) {
        *self = match std::mem::replace(self, Self::Ended) {
            Self::Loading(vm, opening) if vm.is_ready_to_run() => {
                Self::Running(Box::new(opening.begin(vm)))
            }
            stage @ (Self::Loading(..) | Self::Running(_) | Self::Ended) => stage,
        };
    }
}

impl<B> AttemptBody<B> {
    /// How quick its handler is.
    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// How many bytes of its journal have come, while some are missing.
    pub(super) fn loading(&self) -> Option<u64> {
        matches!(self.stage, Stage::Loading(..)).then_some(self.read_bytes)
    }

    /// Whether the closure of a run is being executed: only that takes real time.
    pub fn is_executing(&self) -> bool {
        match &self.stage {
            Stage::Running(execution) => execution.is_executing(),
            Stage::Loading(..) | Stage::Ended => false,
        }
    }

    /// When the handler waits for something that is not in the journal and so is lost with the
    /// attempt: what to tell its author.
    pub fn stray_wait(&self) -> Option<String> {
        match &self.stage {
            Stage::Running(execution) => execution.stray_wait(),
            Stage::Loading(..) | Stage::Ended => None,
        }
    }
}

impl<B: Body + Unpin> AttemptBody<B> {
    /// Takes what has arrived; whether it was anything. A request that breaks ends like one that ends.
    fn read(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let mut has_read = false;
        while !self.is_request_over {
            // A fault in what was read is told on the wire, and the attempt has ended then.
            match Pin::new(&mut self.request).poll_frame(cx) {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(mut data) = frame.into_data() {
                        let bytes = data.copy_to_bytes(data.remaining());
                        self.read_bytes += bytes.len() as u64;
                        let _ = self.stage.with_vm(|vm| vm.push(bytes));
                    }
                }
                Poll::Ready(Some(Err(_)) | None) => {
                    self.is_request_over = true;
                    let _ = self.stage.with_vm(Vm::close_input);
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
            self.stage.advance();
            if let Stage::Running(execution) = &mut self.stage
                && execution.drive(cx).is_ready()
            {
                self.is_over = true;
            }
            if self.stage.with_vm(|vm| vm.has_ended()).unwrap_or(true) {
                self.is_over = true;
            }
            let output = self.stage.with_vm(Vm::take_output).unwrap_or_default();
            if self.is_over {
                // The handler is dropped before its last word is sent.
                self.stage = Stage::Ended;
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
