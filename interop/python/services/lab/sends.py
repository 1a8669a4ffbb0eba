"""Sends: at once, later, and by idempotency key."""

from datetime import timedelta
from typing import TypedDict

from restate import Context

from services.list import append

from .basics import double
from .service import lab


class Several(TypedDict):
    key: str
    count: int


class Later(TypedDict):
    key: str
    delayMs: int


@lab.handler()
async def send_many(ctx: Context, asked: Several) -> None:
    for number in range(asked["count"]):
        ctx.object_send(append, key=asked["key"], arg=number)


@lab.handler()
async def send_later(ctx: Context, asked: Later) -> str:
    delay = timedelta(milliseconds=asked["delayMs"])
    sent = ctx.object_send(append, key=asked["key"], arg="late", send_delay=delay)
    return await sent.invocation_id()


@lab.handler()
async def send_same_twice(ctx: Context, key: str) -> bool:
    ids = []
    for _ in range(2):
        sent = ctx.object_send(append, key=key, arg=1, idempotency_key="once")
        ids.append(await sent.invocation_id())
    return ids[0] == ids[1]


@lab.handler()
async def send_and_attach(ctx: Context, number: int) -> int:
    sent = ctx.service_send(double, arg=number)
    return await ctx.attach_invocation(await sent.invocation_id(), type_hint=int)
