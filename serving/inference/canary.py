"""Routing: a canary predicts its share of the keys, and is withdrawn automatically if it fails or is slow."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from serving.errors import RequestError
from serving.inference.hot_swap import Models
from serving.inference.loaded_model import Canary, LoadedModel
from serving.inference.micro_batching import MicroBatcher
from serving.requests import PredictionRequest

_MIN_CALLS = 50  # calls of each before they are compared
_SLOWER, _SLACK = 2.0, 0.001  # tolerated factor of the champion's seconds per call, and tolerated extra seconds


@dataclass
class CanaryRouter:
    """Routes each row to the champion or to its canary.

    Parameters
    ----------
    models : Models
    batches : MicroBatcher
    """

    models: Models
    batches: MicroBatcher

    async def predict(self, champion: LoadedModel, request: PredictionRequest, arrived: float) -> dict[str, Any]:
        """Predict the rows of a request; if both versions predict, ``versions`` names the version of each row.

        Raises
        ------
        RequestError
            422 where the champion cannot predict these rows, 503 where the log cannot be written.
        """
        canary = self.models.canaries.get(champion.spec.model)
        if canary is None or canary.served.spec.incompatibility(champion.spec):  # swapped while the request was read
            return await self.batches.predict(champion, request, arrived)
        request = replace(request, ids=request.ids or self.batches.ids(len(request.rows)))
        taken, left = _split_rows(request, canary)
        if not taken:
            return await self.batches.predict(champion, request, arrived)
        canary_response = self._predict_by_canary(canary.served, champion, _subset(request, taken), arrived)
        if not left:
            return await canary_response
        responses = await asyncio.gather(
            canary_response, self.batches.predict(champion, _subset(request, left), arrived)
        )
        return _merge(request, (taken, left), responses, champion)

    async def _predict_by_canary(
        self, canary: LoadedModel, champion: LoadedModel, request: PredictionRequest, arrived: float
    ) -> dict[str, Any]:
        """The canary's response; if it fails, the champion's, and the canary is withdrawn."""
        name = champion.spec.model
        try:
            response = await self.batches.predict(canary, request, arrived)
        except RequestError as error:
            if error.status != 422:
                raise
            response = await self.batches.predict(champion, request, arrived)  # raises if the rows are invalid
            self.models.withdraw(name, f"It cannot predict rows that the champion predicts. {error.message}")
            return response
        ours, theirs = (self.batches.call_seconds(model) for model in (canary, champion))
        if len(ours) % _MIN_CALLS == 0 and min(len(ours), len(theirs)) >= _MIN_CALLS:
            slow, usual = median(ours), median(theirs)
            if slow > _SLOWER * usual + _SLACK:
                self.models.withdraw(name, f"It takes {slow * 1000:.1f} ms a call, the champion {usual * 1000:.1f} ms.")
        return response


def _split_rows(request: PredictionRequest, canary: Canary) -> tuple[list[int], list[int]]:
    """The positions of the rows that the canary predicts, and of the others."""
    assert request.ids
    taken = [place for place, key in enumerate(request.ids) if canary.takes(key)]
    return taken, sorted(set(range(len(request.ids))) - set(taken))


def _subset(request: PredictionRequest, places: list[int]) -> PredictionRequest:
    def of(values: list[Any]) -> list[Any]:
        return [values[place] for place in places]

    assert request.ids
    return PredictionRequest(
        of(request.rows), {name: of(values) for name, values in request.beside.items()}, of(request.ids)
    )


def _merge(
    request: PredictionRequest,
    parts: tuple[list[int], list[int]],
    responses: Sequence[dict[str, Any]],
    champion: LoadedModel,
) -> dict[str, Any]:
    """Merge two responses into one, in the order of the request."""
    merged = dict(responses[1])
    for name in ("predictions", "probabilities"):
        if name in merged:
            pairs = [
                pair
                for places, response in zip(parts, responses, strict=True)
                for pair in zip(places, response[name], strict=True)
            ]
            merged[name] = [value for _, value in sorted(pairs, key=lambda pair: pair[0])]
    versions = {
        place: response["version"] for places, response in zip(parts, responses, strict=True) for place in places
    }
    version_of_row = [versions[place] for place in range(len(versions))]
    return merged | {"ids": request.ids, "version": champion.spec.number, "versions": version_of_row}
