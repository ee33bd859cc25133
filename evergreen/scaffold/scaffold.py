"""`evergreen new`: a model file drafted from a table."""

import re

from evergreen.definition.loader import path_of
from evergreen.errors import ScaffoldError
from evergreen.ingestion.sources.database import Sql
from evergreen.ingestion.sources.files import Files
from evergreen.scaffold.draft import Choices, Draft, propose
from evergreen.scaffold.reading.sample import open_table


def scaffold(name: str, source: Files | Sql, wishes: Choices, *, overwrite: bool = False) -> Draft:
    """Write a model file for a table.

    Parameters
    ----------
    name : str
        Of the model and its file.
    source : Files or Sql
        From `evergreen.scaffold.reading.sample.source_of`.
    wishes : Wishes
    overwrite : bool
        Whether a file of that name may be replaced.

    Raises
    ------
    ScaffoldError
        The table lacks what a model needs, or the file exists.
    """
    from evergreen.scaffold.template import render

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ScaffoldError(f"{name!r} is not a model name. Use lower-case letters, digits and _, such as 'air_time'.")
    path = path_of(name)
    if path.exists() and not overwrite:
        raise ScaffoldError(f"{path} exists. Choose another name, or overwrite it with --force.")
    draft = propose(name, source, open_table(source), wishes)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(draft), encoding="utf-8")
    return draft
