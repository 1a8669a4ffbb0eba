"""List: keeps appended values, in order."""

from typing import Any

from restate import ObjectContext, ObjectSharedContext, VirtualObject

list_object = VirtualObject("List")


@list_object.handler()
async def append(ctx: ObjectContext, item: Any) -> None:
    ctx.set("items", [*(await ctx.get("items") or []), item])


@list_object.handler(name="all", kind="shared")
async def all_items(ctx: ObjectSharedContext) -> list[Any]:
    return await ctx.get("items") or []
