"""What is true of the work of each command whenever Ctrl-C stops it, and what to do next."""

_AGAIN = "Run the command again to continue."
_READS = "Nothing was changed."
_PAGE = "A page is written whole or not at all; run the command again for it."
_BATCHES = "Batches that were read are kept."
_VERSIONS = "A version that was recorded is kept, and the champion changes only after the last gate."

_STANDS = {
    "demo": f"The weeks that were run are kept. {_AGAIN}",
    "init": "Each file is written whole or not at all; run the command again for the others.",
    "upgrade": "Each file is written whole or not at all; run the command again for the others.",
    "new": "A model file is written whole or not at all; run the command again for it.",
    "look": _PAGE,
    "ingest": f"{_BATCHES} Run the command again to read the others.",
    "train": f"{_VERSIONS} {_AGAIN}",
    "refresh": f"{_BATCHES} {_VERSIONS} {_AGAIN}",
    "monitor": f"What was predicted is kept. {_AGAIN}",
    "score": "The output is replaced whole or not at all; run the command again for it. No prediction is logged twice.",
    "replay": f"Trainings and runs of policies that have ended are kept. {_AGAIN}",
    "list": _READS,
    "show": _READS,
    "status": _READS,
    "models": _READS,
    "verdict": _READS,
    "why": _READS,
    "report": _PAGE,
    "gate": _READS,
    "lineage": _READS,
    "reproduce": _READS,
    "audit": _READS,
    "model-card": _PAGE,
    "doctor": _READS,
    "up": "All that it had started ends with it, and its state is kept. Start it again to continue.",
    "ui": "Nothing was changed. Of an export each page is whole or absent; run the command again for the others.",
    "serve": "Every answer is logged. Start it again to continue.",
}


def stands(command: str) -> str:
    """The sentence for a command, by its name."""
    return _STANDS.get(command, f"What was done is kept. {_AGAIN}")
