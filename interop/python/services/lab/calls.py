"""Calls to other handlers."""

from typing import Any, NotRequired, TypedDict

from restate import Context, TerminalError, gather

from services.cell import add
from services.hidden import reveal
from services.list import append

from .basics import double, upper
from .errors import Failure, fail
from .service import lab


class Addition(TypedDict):
    key: str
    amount: NotRequired[int]


class Mixed(TypedDict):
    key: str
    calls: list[bool]


@lab.handler()
async def chain(ctx: Context, depth: int) -> int:
    return 0 if depth == 0 else await ctx.service_call(chain, arg=depth - 1) + 1


@lab.handler()
async def call_failing(ctx: Context, asked: Failure) -> Any:
    try:
        await ctx.service_call(fail, arg=asked)
    except TerminalError as error:
        return [error.status_code, error.message]
    return "no failure"


@lab.handler()
async def fail_through_call(ctx: Context, asked: Failure) -> None:
    await ctx.service_call(fail, arg=asked)


@lab.handler()
async def double_all(ctx: Context, numbers: list[int]) -> int:
    calls = await gather(*(ctx.service_call(double, arg=number) for number in numbers))
    return sum([await call for call in calls])


@lab.handler()
async def join(ctx: Context, words: list[str]) -> list[str]:
    """Makes several calls and awaits them together."""
    calls = await gather(*(ctx.service_call(upper, arg=word) for word in words))
    return [await call for call in calls]


@lab.handler()
async def call_cell(ctx: Context, asked: Addition) -> int:
    return await ctx.object_call(add, key=asked["key"], arg=asked.get("amount", 1))


@lab.handler()
async def call_same_twice(ctx: Context, key: str) -> list[int]:
    return [await ctx.object_call(add, key=key, arg=1, idempotency_key="once") for _ in range(2)]


@lab.handler()
async def call_hidden(ctx: Context) -> str:
    return await ctx.service_call(reveal, arg=None)


@lab.handler()
async def mixed_calls(ctx: Context, asked: Mixed) -> None:
    """Calls where it is asked to, sends otherwise, and waits at the end."""
    calls = []
    for number, is_call in enumerate(asked["calls"]):
        if is_call:
            calls.append(ctx.object_call(append, key=asked["key"], arg=number))
        else:
            ctx.object_send(append, key=asked["key"], arg=number)
    for call in calls:
        await call
