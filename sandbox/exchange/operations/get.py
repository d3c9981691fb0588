"""GetItem."""

from __future__ import annotations

from ..context import Context
from ..render import Shape, item, read_shape
from ..soap import Element, Refused, SoapFault, plain
from .batch import batch


def get_item(context: Context) -> str:
    """Return items by id."""
    shape = item_shape(context, listing=False)
    damaged = context.faults.style(context.caller.email, "damaged_item")

    def one(element: Element) -> str:
        folder, found = context.item(element)
        if damaged and damaged in plain(found.field("Subject")):
            raise Refused("ErrorInternalServerError")
        text = item(found, shape, context.owner(folder), folder.number, context.schema)
        return f"<m:Items>{text}</m:Items>"

    return batch(context, "GetItem", context.find("ItemIds"), one, "<m:Items/>")


def item_shape(context: Context, *, listing: bool) -> Shape:
    """Return what the request's ItemShape asks for. Raises SoapFault."""
    try:
        return read_shape(context.find("ItemShape"), context.schema, listing=listing)
    except ValueError as problem:
        raise SoapFault("ErrorSchemaValidation", f"Unknown FieldURI '{problem}'.") from problem
