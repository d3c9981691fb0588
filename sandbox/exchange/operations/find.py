"""FindItem: a window of time with series expanded, or pages of what lies in a folder (7.1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from .. import zones
from ..context import Context
from ..model import Folder
from ..occurrences import Occurrence, between, whole
from ..render import Shape, item
from ..soap import Element, Refused, answer, failure, plain, success
from .get import item_shape
from .restrictions import Restriction, Values, path_name

MOST_ROWS = 1_000
_TWO_YEARS_S = 2 * 366 * 86_400


def find_item(context: Context) -> str:
    """Return what lies in folders, one page for each."""
    shape = item_shape(context, listing=True)
    messages = []
    for element in context.find("ParentFolderIds"):
        try:
            folder = context.folder(element)
            messages.append(success("FindItem", _page(context, folder, shape)))
        except Refused as refusal:
            messages.append(failure("FindItem", refusal))
    return answer("FindItem", messages)


def _page(context: Context, folder: Folder, shape: Shape) -> str:
    view = context.operation.find("{*}CalendarView")
    if view is not None:
        return _window(context, folder, shape, view)
    found = [whole(one) for one in folder.items.values() if context.may_see(folder, one)]
    restriction = Restriction.read(context.operation)
    if restriction is not None:
        found = [one for one in found if restriction.matches(_values(one))]
    for order in reversed(context.operation.findall("{*}SortOrder/{*}FieldOrder")):
        name = path_name(order[0])
        found.sort(key=partial(_value, name=name), reverse=order.get("Order") != "Ascending")
    paging = context.operation.find("{*}IndexedPageItemView")
    offset = int(paging.get("Offset", "0")) if paging is not None else 0
    asked = int(paging.get("MaxEntriesReturned", MOST_ROWS)) if paging is not None else MOST_ROWS
    shown = found[offset : offset + min(asked, MOST_ROWS)]
    end = offset + len(shown)
    return _rows(context, folder, shape, shown, len(found), end >= len(found), end)


def _window(context: Context, folder: Folder, shape: Shape, view: Element) -> str:
    for name in ("Restriction", "SortOrder", "GroupBy", "QueryString"):
        if context.operation.find(f"{{*}}{name}") is not None:
            raise Refused("ErrorInvalidRequest", f"{name} is not allowed with CalendarView.")
    try:
        low_s, high_s = (zones.moment(view.get(name, "")) for name in ("StartDate", "EndDate"))
    except ValueError:
        raise Refused("ErrorInvalidRequest", "The view has no sound dates.") from None
    if high_s < low_s:
        raise Refused("ErrorCalendarEndDateIsEarlierThanStartDate")
    if high_s - low_s > _TWO_YEARS_S:
        raise Refused("ErrorCalendarViewRangeTooBig")
    items = [one for one in folder.items.values() if context.may_see(folder, one)]
    found = sorted(between(items, low_s, high_s), key=lambda one: (one.start_s, one.item.number))
    most = int(view.get("MaxEntriesReturned", MOST_ROWS))
    shown = found[: min(most, MOST_ROWS)]
    if len(found) > MOST_ROWS and "MaxEntriesReturned" not in view.attrib:
        raise Refused("ErrorExceededFindCountLimit")
    return _rows(context, folder, shape, shown, len(shown), len(shown) == len(found))


def _rows(
    context: Context,
    folder: Folder,
    shape: Shape,
    shown: Sequence[Occurrence],
    total: int,
    is_last: bool,
    offset: int | None = None,
) -> str:
    owner = context.owner(folder)
    inside = "".join(item(one, shape, owner, folder.number, context.schema) for one in shown)
    if context.faults.take(context.caller.email, "unknown_kinds"):
        inside += '<t:Booking><t:ItemId Id="AAMkAAAA" ChangeKey="DwAA"/></t:Booking>'
    paging = "" if offset is None else f'IndexedPagingOffset="{offset}" '
    return (
        f'<m:RootFolder {paging}TotalItemsInView="{total}" '
        f'IncludesLastItemInRange="{str(is_last).lower()}">'
        f"<t:Items>{inside}</t:Items></m:RootFolder>"
    )


def _values(found: Occurrence) -> Values:
    return partial(_value, found)


def _value(found: Occurrence, name: str) -> str:
    """Return the text of a row's element or extended property, comparable as text."""
    computed = {
        "Start": zones.stamp(found.start_s),
        "End": zones.stamp(found.end_s),
        "UID": found.item.uid,
        "ItemClass": "IPM.Appointment",
        "LastModifiedTime": zones.stamp(found.item.changed_at_s),
    }
    if name in computed:
        return computed[name]
    kept = found.item.extended.get(name) if "=" in name else found.field(name)
    return plain(kept) if kept else ""
