"""`evergreen new`: a model file for one's own table."""

from typing import Annotated

import typer

from cli.printing import Json, say


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the model and of its file in models/.")],
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="TABLE",
            help="A .parquet or .csv file, a folder or glob of them, or a database's URL; '$NAME' is read from the "
            "environment, so that no password stands in the model file.",
        ),
    ],
    target: Annotated[str | None, typer.Option(help="The column to predict; guessed by default.")] = None,
    time: Annotated[str | None, typer.Option(help="The column with each row's time; guessed by default.")] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="A column that identifies a row; more than once for several together.")
    ] = None,
    table: Annotated[str | None, typer.Option(help="Of a database; its only one by default.")] = None,
    query: Annotated[str | None, typer.Option(help="Of a database, instead of a table.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a model file of that name.")] = False,
    json: Json = False,
) -> None:
    """Look at a table and write a model file for it, to be reviewed and then trained at once."""
    from cli.showing import drafted
    from evergreen.scaffold.draft import Wishes
    from evergreen.scaffold.sample import origin
    from evergreen.scaffold.scaffold import scaffold

    wishes = Wishes(time=time, key=key or None, target=target)
    written = scaffold(name, origin(source, query=query, table=table), wishes, overwrite=force)
    say(json, written, drafted(written))
