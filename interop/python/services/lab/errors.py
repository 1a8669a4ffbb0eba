"""Handlers that fail, once or often."""

from datetime import timedelta
from typing import NotRequired, TypedDict

from restate import Context, InvocationRetryPolicy, TerminalError

from services.executions import executed

from .service import lab


class Failure(TypedDict):
    code: int
    message: str
    metadata: NotRequired[dict[str, str]]


class Attempts(TypedDict):
    id: str
    times: int


SOON = timedelta(milliseconds=10)


def terminal(asked: Failure) -> TerminalError:
    return TerminalError(asked["message"], asked["code"], asked.get("metadata"))


def fail_first(asked: Attempts) -> int:
    attempt = executed(asked["id"])
    if attempt <= asked["times"]:
        raise RuntimeError(f"attempt {attempt} fails")
    return attempt


@lab.handler()
async def fail(_ctx: Context, asked: Failure) -> None:
    raise terminal(asked)


@lab.handler(
    invocation_retry_policy=InvocationRetryPolicy(initial_interval=SOON, exponentiation_factor=1.0)
)
async def fail_times(_ctx: Context, asked: Attempts) -> int:
    return fail_first(asked)


@lab.handler(
    invocation_retry_policy=InvocationRetryPolicy(
        initial_interval=SOON,
        exponentiation_factor=1.0,
        max_attempts=3,
        on_max_attempts="kill",
    )
)
async def fail_always(_ctx: Context, message: str) -> None:
    raise RuntimeError(message)


@lab.handler(
    invocation_retry_policy=InvocationRetryPolicy(
        initial_interval=SOON,
        exponentiation_factor=1.0,
        max_attempts=2,
        on_max_attempts="pause",
    )
)
async def fail_and_pause(_ctx: Context, asked: Attempts) -> int:
    return fail_first(asked)
