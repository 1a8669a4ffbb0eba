//! The settings that apply to a handler: its own, then its service's, then the server's.

use protocol::Backoff;

use crate::{
    admission::HandlerFacts,
    model::deployment::{HandlerDefinition, OnMaxAttempts, ServiceDefinition, ServiceOptions},
};

/// The server's defaults for settings that a manifest leaves unset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// Settings for attempts.
    pub handler: HandlerSettings,
    /// Keep a finished journal this many milliseconds.
    pub journal_retention_ms: u64,
    /// Keep the result of an idempotent invocation this many milliseconds.
    pub idempotency_retention_ms: u64,
    /// Keep a workflow's result, state and promises this many milliseconds.
    pub workflow_retention_ms: u64,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

impl Default for Defaults {
    /// The Restate server's defaults: everything is kept for a day, an idle attempt is half-closed
    /// after one minute and has ten more minutes to end.
    fn default() -> Self {
        Self {
            handler: HandlerSettings {
                inactivity_timeout_ms: 60_000,
                abort_timeout_ms: 600_000,
                lazy_state: false,
                retry: RetryPolicy::default(),
            },
            journal_retention_ms: DAY_MS,
            idempotency_retention_ms: DAY_MS,
            workflow_retention_ms: DAY_MS,
        }
    }
}

/// The settings that apply to a handler's attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerSettings {
    /// Half-close an idle attempt after this many milliseconds; 0 means immediately.
    pub inactivity_timeout_ms: u64,
    /// Abort an attempt that does not end within this many milliseconds of the half-close.
    pub abort_timeout_ms: u64,
    /// Let the SDK request state lazily instead of sending it with the attempt.
    pub lazy_state: bool,
    /// How failed attempts are retried.
    pub retry: RetryPolicy,
}

/// How failed attempts are retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The delays, before jitter.
    pub backoff: Backoff,
    /// The maximum number of attempts; `None` means no limit.
    pub max_attempts: Option<u32>,
    /// What to do after the last attempt.
    pub on_max_attempts: OnMaxAttempts,
}

impl Default for RetryPolicy {
    /// The Restate server's defaults: half a second doubling up to a minute, 70 attempts, then
    /// pause.
    fn default() -> Self {
        Self {
            backoff: Backoff {
                initial_interval_ms: 500,
                factor_thousandths: 2000,
                max_interval_ms: 60_000,
            },
            max_attempts: Some(70),
            on_max_attempts: OnMaxAttempts::Pause,
        }
    }
}

impl Defaults {
    /// What a proposer of invocations needs to know about a handler.
    pub fn facts(&self, service: &ServiceDefinition, handler: &HandlerDefinition) -> HandlerFacts {
        HandlerFacts {
            service_kind: service.kind,
            handler_kind: handler.kind,
            journal_retention_ms: pick(service, handler, |options| options.journal_retention_ms)
                .unwrap_or(self.journal_retention_ms),
            idempotency_retention_ms: pick(service, handler, |options| {
                options.idempotency_retention_ms
            })
            .unwrap_or(self.idempotency_retention_ms),
            workflow_retention_ms: pick(service, handler, |options| options.workflow_retention_ms)
                .unwrap_or(self.workflow_retention_ms),
        }
    }

    /// The settings that apply to a handler's attempts.
    pub fn settings(
        &self,
        service: &ServiceDefinition,
        handler: &HandlerDefinition,
    ) -> HandlerSettings {
        HandlerSettings {
            inactivity_timeout_ms: pick(service, handler, |options| options.inactivity_timeout_ms)
                .unwrap_or(self.handler.inactivity_timeout_ms),
            abort_timeout_ms: pick(service, handler, |options| options.abort_timeout_ms)
                .unwrap_or(self.handler.abort_timeout_ms),
            lazy_state: pick(service, handler, |options| options.lazy_state)
                .unwrap_or(self.handler.lazy_state),
            retry: self.retry_policy(service, handler),
        }
    }

    fn retry_policy(
        &self,
        service: &ServiceDefinition,
        handler: &HandlerDefinition,
    ) -> RetryPolicy {
        let node = &self.handler.retry;
        let interval_ms = pick(service, handler, |options| options.retry.initial_interval_ms);
        let factor = pick(service, handler, |options| options.retry.factor_thousandths);
        let max_interval_ms = pick(service, handler, |options| options.retry.max_interval_ms);
        let max_attempts = pick(service, handler, |options| options.retry.max_attempts);
        RetryPolicy {
            backoff: Backoff {
                initial_interval_ms: interval_ms.unwrap_or(node.backoff.initial_interval_ms),
                factor_thousandths: factor.unwrap_or(node.backoff.factor_thousandths),
                max_interval_ms: max_interval_ms.unwrap_or(node.backoff.max_interval_ms),
            },
            max_attempts: max_attempts.or(node.max_attempts),
            on_max_attempts: pick(service, handler, |options| options.retry.on_max_attempts)
                .unwrap_or(node.on_max_attempts),
        }
    }
}

/// Whether a handler may be called through the ingress: the handler's setting takes precedence over
/// the service's.
pub fn is_public(service: &ServiceDefinition, handler: &HandlerDefinition) -> bool {
    !pick(service, handler, |options| options.ingress_private).unwrap_or(false)
}

fn pick<T>(
    service: &ServiceDefinition,
    handler: &HandlerDefinition,
    option: impl Fn(&ServiceOptions) -> Option<T>,
) -> Option<T> {
    option(&handler.options).or_else(|| option(&service.options))
}
