"""What follows the question mark of an address: nothing unknown, nothing twice."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, get_args, get_origin

from fastapi import Request
from fastapi.routing import APIRoute

from edge_retrieve.runtime.errors import QueryError


async def known_parameters(request: Request) -> None:
    """Refuse parameters that an address does not take, and repeated ones that are no lists.

    A filter that is misspelt and passed over would list every patient.

    Raises
    ------
    QueryError
        Where there is one.
    """
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not route.include_in_schema:
        return
    taken = {field.alias: _is_list(field.field_info.annotation) for field in route.dependant.query_params}
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in taken:
            known = f"Known are {', '.join(sorted(taken))}" if taken else "This address takes none"
            raise QueryError("there is no such parameter", where=name[:80], remedy=known)
        if times > 1 and not taken[name]:
            raise QueryError("the parameter is given more than once", where=name, remedy="Give it once")


def _is_list(annotation: object) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _is_list(get_args(annotation)[0])
    return isinstance(origin, type) and not issubclass(origin, str) and hasattr(origin, "__iter__")
