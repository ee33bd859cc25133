"""The few things that are asked of git."""

import subprocess
from pathlib import Path

from evergreen import files


def run(folder: Path, *words: str) -> str:
    """What a git command prints, without the last line's end.

    Raises
    ------
    OSError, subprocess.CalledProcessError
        There is no git, or it refuses.
    """
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)  # noqa: S603, S607
    return done.stdout.strip()


def commit_of(folder: Path, name: str) -> str:
    """The whole hash of a commit that is given by its hash, a branch or a tag.

    Raises
    ------
    OSError, subprocess.CalledProcessError
        There is no git, or no such commit.
    """
    return run(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")


def unpack(folder: Path, commit: str, target: Path, **more: str) -> None:
    """Unpack a commit of a repository into a folder, which is then there as a whole or not at all.

    Parameters
    ----------
    folder : Path
        In the repository; what the commit has of it is unpacked.
    commit : str
    target : Path
        Left as it is if it is there.
    **more
        Texts of further files, by their names with ``__`` for a dot.

    Raises
    ------
    OSError, subprocess.CalledProcessError
        There is no git, or no such commit.
    """
    if target.is_dir():
        return
    with files.making(target) as whole:
        archive = whole.with_name(f"{whole.name}.tar")
        run(folder, "archive", "--format=tar", f"--output={archive}", commit)
        files.unpack(archive, whole)
        for name, text in more.items():
            (whole / name.replace("__", ".")).write_text(text, encoding="utf-8")
