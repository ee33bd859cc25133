"""The files of a Delta table that somebody else writes: its log tells which of a folder still hold its rows."""

from evergreen.errors import SourceError, SourceSetupError, translated

# Features that leave all rows of a live file in it, under their names.
_PLAIN = frozenset({"timestampNtz", "typeWidening", "v2Checkpoint", "vacuumProtocolCheck", "variantType"})


def live_files(uri: str) -> set[str]:
    """The files of the newest version, by their paths within the folder.

    Parameters
    ----------
    uri : str
        A folder, or the URI of one.

    Raises
    ------
    SourceError
        The log cannot be read.
    SourceSetupError
        Some rows are deleted without another file, or its columns are called otherwise in the files.
    """
    from deltalake import DeltaTable

    with translated(SourceError, f"The Delta table {uri} cannot be read: {{reason}}. Give its rows as Parquet."):
        table = DeltaTable(uri)
        features = {*(table.protocol().reader_features or ())} - _PLAIN
        mapped = table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none"
        root, files = table.table_uri.rstrip("/"), table.file_uris()
    if features or mapped:
        what = ", ".join(sorted(features or {"columnMapping"}))
        raise SourceSetupError(
            f"The Delta table {uri} uses {what}, so its files alone do not tell its rows. Give a copy as Parquet, or a "
            "`Call` that reads it."
        )
    return {file.removeprefix(root).removeprefix(uri.rstrip("/")).lstrip("/") for file in files}
