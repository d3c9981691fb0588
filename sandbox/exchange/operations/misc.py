"""ConvertId and GetServerTimeZones: what clients ask before they begin."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from .. import ids, zones
from ..context import Context
from ..meeting_zone import definition
from ..soap import Element, Refused, answer, success
from .batch import batch


def convert_id(context: Context) -> str:
    """Return ids as they are: there is one form of them here."""

    def one(element: Element) -> str:
        text = element.get("Id", "")
        try:
            ids.read(text)
        except ValueError:
            raise Refused("ErrorInvalidIdMalformed") from None
        form, mailbox = (quoteattr(element.get(name, "")) for name in ("Format", "Mailbox"))
        return (
            f'<m:AlternateId xsi:type="t:AlternateIdType" Format={form} Id="{text}" '
            f"Mailbox={mailbox}/>"
        )

    return batch(context, "ConvertId", context.find("SourceIds"), one)


def get_server_time_zones(context: Context) -> str:
    """Return the zones that this server knows, or those asked for, in full when it is asked."""
    full = context.operation.get("ReturnFullTimeZoneData", "true") == "true"
    asked = [one.text or "" for one in context.operation.iterfind("{*}Ids/{*}Id")]
    names = [name for name in zones.NAMES if not asked or name in asked]
    year = context.store.now().year
    written = "".join(
        definition(name, year)
        if full
        else f"<t:TimeZoneDefinition Id={quoteattr(name)} Name={quoteattr(zones.NAMES[name][1])}/>"
        for name in names
    )
    inside = f"<m:TimeZoneDefinitions>{written}</m:TimeZoneDefinitions>"
    return answer("GetServerTimeZones", [success("GetServerTimeZones", inside)])
