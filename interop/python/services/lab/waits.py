"""Sleeps and awakeables, alone and together."""

from datetime import timedelta
from typing import Any, TypedDict

from restate import Context, gather, select

from .service import lab, tell


class Awaited(TypedDict):
    cell: str
    timeoutMs: int


class Resolution(TypedDict):
    id: str
    value: Any


class Rejection(TypedDict):
    id: str
    reason: str


@lab.handler()
async def sleep(ctx: Context, duration_ms: int) -> str:
    await ctx.sleep(timedelta(milliseconds=duration_ms))
    return "slept"


@lab.handler()
async def sleep_many(ctx: Context, count: int) -> int:
    durations = (timedelta(milliseconds=10 + n % 40) for n in range(count))
    await gather(*(ctx.sleep(duration) for duration in durations))
    return count


@lab.handler()
async def await_awakeable(ctx: Context, key: str) -> Any:
    name, completed = ctx.awakeable()
    tell(ctx, key, "awakeable", name)
    return await completed


@lab.handler()
async def await_or_timeout(ctx: Context, asked: Awaited) -> Any:
    name, completed = ctx.awakeable()
    tell(ctx, asked["cell"], "awakeable", name)
    timeout = ctx.sleep(timedelta(milliseconds=asked["timeoutMs"]))
    match await select(value=completed, timeout=timeout):
        case ["value", value]:
            return value
        case _:
            return "timeout"


@lab.handler()
async def first_of_two(ctx: Context, key: str) -> Any:
    (first_name, first), (second_name, second) = ctx.awakeable(), ctx.awakeable()
    tell(ctx, key, "first", first_name)
    tell(ctx, key, "second", second_name)
    _, value = await select(first=first, second=second)
    return value


@lab.handler()
async def all_of_two(ctx: Context, key: str) -> list[Any]:
    (first_name, first), (second_name, second) = ctx.awakeable(), ctx.awakeable()
    tell(ctx, key, "first", first_name)
    tell(ctx, key, "second", second_name)
    await gather(first, second)
    return [await first, await second]


@lab.handler()
async def resolve_awakeable(ctx: Context, asked: Resolution) -> None:
    ctx.resolve_awakeable(asked["id"], asked["value"])


@lab.handler()
async def reject_awakeable(ctx: Context, asked: Rejection) -> None:
    ctx.reject_awakeable(asked["id"], asked["reason"])
