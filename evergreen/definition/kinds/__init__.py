"""The kinds of columns, a file each: how values are read, cast, stored, binned, fitted and served."""
