"""The kinds of columns: how values are read, cast, stored, binned, fitted and served.

Each kind has a file. A new one is a class in a further file, as `column_kind` describes it, and a name in `register`.
Two files hold no kind of their own: `column_kind` (the base class) and `messages`.
"""
