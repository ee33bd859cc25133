"""Labels that callers send for earlier predictions."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from evergreen.definition.kinds.register import kind_of
from serving.errors import RequestError, invalid, malformed, shown
from serving.model_cache import Spec
from serving.row_ids import KeyReader, checked_ids

_FORM = '{"id": ..., "value": ..., "time": ...}'


def read(spec: Spec, body: bytes, most: int) -> dict[str, Any]:
    """One label, or many under ``labels``, as columns.

    A label is an object with ``value``, either ``id`` or the columns of the model's key as a request for a
    prediction has them, and ``time`` if it became known earlier than now.

    Returns
    -------
    dict
        ``ids``, ``values``, ``known`` (us since the epoch, or None).

    Raises
    ------
    RequestError
        400, 413 or 422, with the field that the error concerns.
    """
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise malformed(f"The body is not JSON: {error}.") from None
    labels = sent.get("labels") if type(sent) is dict and set(sent) == {"labels"} else [sent]
    if type(labels) is not list or not labels or not all(type(label) is dict for label in labels):
        raise malformed(f'The body is not a label. Send {_FORM}, or several: {{"labels": [...]}}.')
    if len(labels) > most:
        message = f"The request has {len(labels):,} labels, more than the limit of {most:,}. Send them in parts."
        raise RequestError(413, "REQUEST_LIMIT_EXCEEDED", message)
    check, keys = kind_of(spec.target).keep, KeyReader(spec)
    checked = [_check_label(spec, check, keys, label, number) for number, label in enumerate(labels)]
    ids, values, known = (list(column) for column in zip(*checked, strict=True))
    return {"ids": ids, "values": values, "known": known}


def _check_label(
    spec: Spec, check: Callable[[Any], Any], keys: KeyReader, label: dict[str, Any], number: int
) -> tuple[str, Any, int | None]:
    by_id = "id" in label and spec.key != ["id"]
    key = ["id"] if by_id else keys.fields(label)
    unknown = sorted(set(label) - {"value", "time", *key})
    missing = sorted({"value", *key} - set(label))
    if missing:
        raise invalid(f"Label {number} has no {missing[0]!r}; it should be {_FORM}.", missing[0])
    if unknown:
        raise invalid(
            f"Label {number} has {unknown[0]!r}, which is not a field of a label; it should be {_FORM}.", unknown[0]
        )
    label_id = keys.canonical(_sent_id(label["id"], number)) if by_id else _key_id(keys, label, number)
    try:
        value = check(label["value"])
    except (ValueError, OverflowError):
        expected = kind_of(spec.target).words
        message = f"The value of label {number} is {shown(label['value'])}; the model's label is {expected}."
        raise invalid(message, "value") from None
    checked_ids([label_id], key[0])
    return label_id, value, _microseconds(label.get("time"), number)


def _sent_id(sent: Any, number: int) -> str:
    if type(sent) not in (str, int) or sent == "":
        raise invalid(f"The id of label {number} is {shown(sent)}; it should be text.", "id")
    return str(sent)


def _key_id(keys: KeyReader, label: dict[str, Any], number: int) -> str:
    try:
        return keys.read(label)
    except ValueError as error:
        field, problem = error.args
        message = f"{field!r} of label {number} is {shown(label[field])}, which {problem}."
        raise invalid(message, field) from None


def _microseconds(sent: Any, number: int) -> int | None:
    if sent is None:
        return None
    try:
        time = datetime.fromisoformat(sent)
        return round((time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).timestamp() * 1e6)
    except (TypeError, ValueError, OverflowError):
        message = (
            f"The time of label {number} is {shown(sent)}; it should be an ISO 8601 time, in UTC if without a zone."
        )
        raise invalid(message, "time") from None
