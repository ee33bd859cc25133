"""Files beside the tables, in a folder or an object store."""

from typing import TYPE_CHECKING

from evergreen.errors import LakeSetupError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def opened(folder: str, setting: str = "EVERGREEN_LAKE") -> "tuple[AbstractFileSystem, str]":
    """The store that a folder is in, and the folder's path within it, without a slash at its end.

    Raises
    ------
    LakeSetupError
        Its address is of an unknown kind, or the package that reads this kind is not installed.
    """
    from fsspec.core import url_to_fs

    try:
        store, root = url_to_fs(folder)
    except (ImportError, ValueError) as error:
        raise LakeSetupError(
            f"Cannot use {folder}: {error}. Set {setting} to a folder, or to the URI of an object store whose package "
            "is installed: s3fs for s3://, gcsfs for gs://, adlfs for abfss://."
        ) from error
    return store, str(root).rstrip("/")
