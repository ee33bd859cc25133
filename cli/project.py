"""A team's own repository: made by `evergreen init`, kept up to date by `evergreen upgrade`, listed by `sbom`."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli.output import say
from cli.parameters import Json, exits
from evergreen.exit_codes import Exit


@exits(Exit.DONE, Exit.FAILED, waiting=False, placed=False)
def init(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The folder of the repository, new or empty.")],
    example: Annotated[bool, typer.Option("--example", help="Write an example model, too.")] = False,
    ci: Annotated[
        Literal["github", "gitlab", "none"] | None, typer.Option(help="Whose workflows to write; github by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a repository for your own models: folders, tests, schedules, environments, workflows, a lock.

    Running it again writes the files that are missing or that nobody has changed since; a changed file is never
    overwritten.
    """
    from cli.render.project import repository
    from evergreen.scaffold.team_repository import init as make

    written = make(path, example, ci)
    steps = f"cd {shlex.quote(str(path))} && make setup test"
    then = steps if written.locked else f"{steps} WHEELS=FOLDER"
    say(json, written, None if json else repository(written), then)


@exits(Exit.DONE, Exit.FAILED, Exit.DIFFERS)
def upgrade(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 7 if something differs.")] = False,
    json: Json = False,
) -> None:
    """Write the files of `evergreen init` as this release does, but none that you have changed.

    For those that you have changed, it shows once what this release writes differently.
    """
    from cli.render.project import differences
    from evergreen import project
    from evergreen.scaffold import team_repository

    folder = project.root()
    found = team_repository.changes(folder) if check else team_repository.upgrade(folder)
    say(json, [asdict(change) for change in found], None if json else differences(found, check))
    raise typer.Exit(Exit.DIFFERS if check and found else Exit.DONE)


@exits(Exit.DONE, Exit.FAILED)
def sbom(
    release: Annotated[
        str, typer.Option(metavar="COMMIT", help="By default the release in force; before the first, the last commit.")
    ] = "",
    lock: Annotated[str, typer.Option(metavar="PATH", help="The lock, in pip's form.")] = "requirements.lock",
    output: Annotated[
        Path | None, typer.Option(help="The file to write; by default sbom.cdx.json, and with --json none.")
    ] = None,
    json: Json = False,
) -> None:
    """List every package of a release, as a software bill of materials (CycloneDX 1.6, JSON).

    With versions, hashes and who needs what, from the lock; and licences, as the packages that are installed here say.
    """
    from json import dumps

    from cli.render.project import listed
    from evergreen import project, releases
    from evergreen.files import replace
    from evergreen.governance import bill_of_materials

    current = releases.at(project.root())
    commit = release or (current.commit if current else "HEAD")
    document = bill_of_materials.of_release(project.repository(), commit, lock)
    path = output or (None if json else Path("sbom.cdx.json"))
    if path:
        replace(path.absolute(), dumps(document, indent=1) + "\n")
    say(json, document, None if json else listed(document, str(path)))
