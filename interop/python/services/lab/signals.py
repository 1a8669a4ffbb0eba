"""Named signals."""

from typing import Any, NotRequired, TypedDict

from restate import Context

from .service import lab, tell


class Sent(TypedDict):
    id: str
    name: NotRequired[str]
    value: NotRequired[Any]
    reason: NotRequired[str]


@lab.handler()
async def wait_for_signal(ctx: Context, key: str) -> Any:
    tell(ctx, key, "invocation", ctx.request().id)
    return await ctx.signal("go")


@lab.handler()
async def send_signal(ctx: Context, asked: Sent) -> None:
    name = asked.get("name", "go")
    if "reason" in asked:
        ctx.reject_signal(asked["id"], name, asked["reason"])
    else:
        ctx.resolve_signal(asked["id"], name, asked.get("value"))
