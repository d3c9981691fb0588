"""The operations of EWS by name: each takes a context and gives the XML of the SOAP body."""

from __future__ import annotations

from collections.abc import Callable

from ..context import Context
from . import (
    availability,
    create,
    delete,
    find,
    folders,
    get,
    misc,
    people,
    streaming,
    subscriptions,
    sync,
    update,
)
from .streamed import Streamed

__all__ = ["OPERATIONS", "Streamed"]

OPERATIONS: dict[str, Callable[[Context], str | Streamed]] = {
    "GetFolder": folders.get_folder,
    "FindFolder": folders.find_folder,
    "FindItem": find.find_item,
    "SyncFolderItems": sync.sync_folder_items,
    "SyncFolderHierarchy": sync.sync_folder_hierarchy,
    "GetItem": get.get_item,
    "CreateItem": create.create_item,
    "UpdateItem": update.update_item,
    "DeleteItem": delete.delete_item,
    "GetUserAvailabilityRequest": availability.get_user_availability,
    "ResolveNames": people.resolve_names,
    "GetRoomLists": people.get_room_lists,
    "GetRooms": people.get_rooms,
    "Subscribe": subscriptions.subscribe,
    "Unsubscribe": subscriptions.unsubscribe,
    "GetEvents": subscriptions.get_events,
    "GetStreamingEvents": streaming.get_streaming_events,
    "ConvertId": misc.convert_id,
    "GetServerTimeZones": misc.get_server_time_zones,
}
