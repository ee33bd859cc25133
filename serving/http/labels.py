"""Labels that callers send: what became of what was asked."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from evergreen.definition.kinds.table import kind_of
from evergreen.row_id import row_id
from serving.errors import RequestError, malformed, unfit
from serving.model_cache import Spec
from serving.requests import shown

_FORM = '{"id": ..., "value": ..., "time": ...}'


def read(spec: Spec, body: bytes, most: int) -> dict[str, Any]:
    """One label, or many under ``labels``, as columns.

    A label is an object with ``value``, either ``id`` or the columns of the model's key, and
    ``time``, when it became known, if that was not now.

    Returns
    -------
    dict
        ``ids``, ``values``, ``known`` (us since the epoch, or None).

    Raises
    ------
    RequestError
        400, 413 or 422, with the field that it is about.
    """
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise malformed(f"The body is not JSON: {error}.") from None
    many = sent.get("labels") if type(sent) is dict and set(sent) == {"labels"} else [sent]
    if type(many) is not list or not many or not all(type(one) is dict for one in many):
        raise malformed(f'Send a label, {_FORM}, or many: {{"labels": [...]}}.')
    if len(many) > most:
        message = f"{len(many):,} labels in one request; at most {most:,} are taken. Send them in parts."
        raise RequestError(413, "REQUEST_LIMIT_EXCEEDED", message)
    check = kind_of(spec.target).keep
    found = [_one(spec, check, one, number) for number, one in enumerate(many)]
    ids, values, known = (list(column) for column in zip(*found, strict=True))
    return {"ids": ids, "values": values, "known": known}


def _one(spec: Spec, check: Callable[[Any], Any], sent: dict[str, Any], number: int) -> tuple[str, Any, int | None]:
    key = {"id"} if "id" in sent else set(spec.key)
    unknown = sorted(set(sent) - {"value", "time", *key})
    missing = sorted({"value", *key} - set(sent))
    if missing:
        raise unfit(f"Label {number} has no {missing[0]!r}; it should be {_FORM}.", missing[0])
    if unknown:
        raise unfit(f"Label {number} has {unknown[0]!r}, which is not known; it should be {_FORM}.", unknown[0])
    parts = [sent["id"]] if "id" in sent else [sent[name] for name in spec.key]
    for part in parts:
        if type(part) not in (str, int) or part == "":
            raise unfit(f"The id of label {number} is {shown(part)}; it should be text.", "id")
    try:
        value = check(sent["value"])
    except (ValueError, OverflowError):
        message = (
            f"The value of label {number} is {shown(sent['value'])}; the model's label is {kind_of(spec.target).words}."
        )
        raise unfit(message, "value") from None
    return row_id(parts), value, _moment(sent.get("time"), number)


def _moment(sent: Any, number: int) -> int | None:
    if sent is None:
        return None
    try:
        moment = datetime.fromisoformat(sent)
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).timestamp() * 1e6)
    except (TypeError, ValueError, OverflowError):
        message = (
            f"The time of label {number} is {shown(sent)}; it should be an ISO 8601 time, in UTC if without a zone."
        )
        raise unfit(message, "time") from None
