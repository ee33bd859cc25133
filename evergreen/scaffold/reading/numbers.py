"""Numbers as people write them: units, separators, and words where there is none."""

import re
from collections import Counter

import pandas as pd

from evergreen.definition.parsing.number_format import SIGNS, SPACES, NumberFormat

_CURRENCIES = "$€£¥₹₽¢"
_CODES = r"(?:USD|EUR|GBP|CHF|JPY|CNY|INR|Rs\.?)"
_WRITTEN = re.compile(
    rf"(?P<before>[+-]?(?:[{_CURRENCIES}]|{_CODES})?\s*)(?P<core>[+-]?[\d.,'\u2019{SPACES} ]*\d)(?P<after>\s*[^\d]*)"
)
_SEPARATORS = ((".", ""), (".", ","), (",", "."), (".", "'"), (".", "\u2019"), (",", ""), (",", " "), (".", " "))
_MINUS = "\u2212"
_MINUS_BEHIND = re.compile(r"^([^()+-]*\d)\s*-([^()+\d-]*)$")
_CODE = re.compile(r"[+-]?0\d+")  # such as 007, which is not 7
_IN_PARENTHESES = re.compile(r"^([^()+-]*)\(([^()+-]*\d[^()+-]*)\)$")
_THOUSANDS = r"[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|\d{1,3})"
_FEW_WORDS = 5  # different words among numbers that are not known to mean a missing number
_MOSTLY = 0.5  # share of numbers from which on a column is one of numbers with words, not of words
_BAD = 0.01  # the share of rows in which words stand that are not known to mean a missing number
MISSING = frozenset({"", "-", "--", "?", ".", "n/a", "na", "nan", "null", "none", "nil", "missing", "unknown", "#n/a"})
MISSING |= {"inf", "-inf", "+inf", "infinity", "-infinity", "#div/0!", "#value!", "#ref!", "#num!", "\\n", "(null)"}


def find(text: pd.Series, *, comma: bool = False) -> tuple[NumberFormat, str] | None:
    """The format of numbers that are written as text, and what a person should know of it; None if they are none.

    Parameters
    ----------
    text : Series of str
        Without missing values.
    comma : bool
        Whether a comma before three digits stands before a fraction, and a point before thousands, as other columns of
        the table show.

    Examples
    --------
    >>> find(pd.Series(["$1,234.50", "$7.00", "n/a"]))[0]
    NumberFormat(decimal='.', thousands=',', remove='$', parentheses=False, missing=['n/a'])
    """
    counts = Counter(text.str.strip().tolist())
    plain = {value: _IN_PARENTHESES.sub(r"-\1\2", value).replace(_MINUS, "-") for value in counts}
    plain = {value: _MINUS_BEHIND.sub(r"-\1\2", number) for value, number in plain.items()}
    found = {value: match for value in counts if (match := _WRITTEN.fullmatch(plain[value]))}
    written = {value: match for value, match in found.items() if not {*SIGNS} & {*"".join(_unit(match))}}
    units: Counter[tuple[str, str]] = Counter()
    for value, match in written.items():
        units[_unit(match)] += counts[value]
    if not units or any(_CODE.fullmatch(match["core"]) for match in written.values()):
        return None
    unit = next((unit for unit, _ in units.most_common() if any(unit)), ("", ""))  # beside it there may be bare numbers
    cores = {value: match["core"] for value, match in written.items() if _unit(match) in (unit, ("", ""))}
    (decimal, thousands), read = _separators(cores, comma=comma)
    remove, words = "".join(dict.fromkeys("".join(unit))), sorted(counts.keys() - read)
    if decimal in remove or not _are_few(words, counts):
        return None
    parentheses = any("(" in value for value in read)
    format = NumberFormat(decimal=decimal, thousands=thousands, remove=remove, parentheses=parentheses, missing=words)
    return format, _told(format, counts, text)


def are_thousands(known: pd.Series) -> bool:
    """Whether numbers of a table with decimal commas have a point between thousands, in every number that needs one.

    Examples
    --------
    >>> [are_thousands(pd.Series(some)) for some in (["94.935", "512"], ["94.935", "5120"], ["0.512"], ["512"])]
    [True, False, False, False]
    """
    return bool(known.str.fullmatch(_THOUSANDS).all() and known.str.contains(".", regex=False).any())


def words_among(text: pd.Series) -> str:
    """What words stand in a column of which most values are numbers; empty if it is no such column.

    Examples
    --------
    >>> words_among(pd.Series(["1.5", "2", "ERR", "7"])), words_among(pd.Series(["a1", "b2"]))
    ("mostly numbers, but 'ERR' in 1 of 4 rows; `NumberFormat(missing=[...])` would read words as missing", '')
    """
    counts = Counter(text.dropna().astype("str").str.strip().tolist())
    words = Counter({value: count for value, count in counts.items() if not _is_number(value)})
    total = sum(counts.values())
    if not words or sum(words.values()) > (1 - _MOSTLY) * total:
        return ""
    shown = ", ".join(f"{word!r} in {count:,}" for word, count in words.most_common(_FEW_WORDS))
    more = f" and {len(words) - _FEW_WORDS} other words" if len(words) > _FEW_WORDS else ""
    told = f"mostly numbers, but {shown}{more} of {total:,} rows"
    return f"{told}; `NumberFormat(missing=[...])` would read words as missing"


def _is_number(value: str) -> bool:
    match = _WRITTEN.fullmatch(value)
    return match is not None and not any(_unit(match))


def _unit(match: "re.Match[str]") -> tuple[str, str]:
    return match["before"].strip("+- "), match["after"].strip()


def _are_few(words: list[str], counts: "Counter[str]") -> bool:
    """Whether words stand for missing numbers: known ones, or so few that they are slips."""
    unknown = [word for word in words if word.lower().strip(f"{_CURRENCIES} ") not in MISSING]
    rows = sum(counts[word] for word in unknown)
    return len(unknown) <= _FEW_WORDS and rows <= max(1, _BAD * sum(counts.values()))


def _separators(cores: dict[str, str], *, comma: bool = False) -> tuple[tuple[str, str], set[str]]:
    """The signs before a fraction and between thousands that read the most values, and those values.

    Examples
    --------
    >>> [_separators({text: text for text in some})[0] for some in (["1.234,5", "7"], ["1,234"], ["8,73"], ["1.5"])]
    [(',', '.'), ('.', ','), (',', ''), ('.', '')]
    """
    plain = {value: re.sub(f"[{SPACES}]", " ", core) for value, core in cores.items()}
    best: tuple[tuple[str, str], set[str]] = (_SEPARATORS[0], set())
    for signs in sorted(_SEPARATORS, key=lambda signs: comma and signs[0] != ","):
        if signs[1] and not any(signs[1] in core for core in plain.values()):
            continue
        number = _number(*signs)
        read = {value for value, core in plain.items() if number.fullmatch(core)}
        if len(read) > len(best[1]):
            best = signs, read
    return best


def _number(decimal: str, thousands: str) -> "re.Pattern[str]":
    sign = re.escape(thousands)
    group = rf"[1-9]\d{{0,2}}(?:{sign}\d{{3}})+|\d+" if thousands else r"\d+"
    group += rf"|[1-9]\d?(?:{sign}\d\d)+{sign}\d{{3}}" if thousands == "," else ""  # as in India
    fraction = re.escape(decimal)
    return re.compile(rf"[+-]?(?:(?:{group})(?:{fraction}\d*)?|{fraction}\d+)")


def _told(format: NumberFormat, counts: "Counter[str]", text: pd.Series) -> str:
    unit, words = format.remove, format.missing
    shown = ", ".join(f"{word!r} in {counts[word]:,}{_place(word, text)}" for word in words)
    parts = [f"numbers with {unit!r}"] if unit else []
    parts += ["'.' stands between thousands"] if format.thousands == "." else []
    parts += [f"read as missing: {shown} of {sum(counts.values()):,} rows"] if words else []
    return "; ".join(parts)


def _place(word: str, text: pd.Series) -> str:
    """Where a word comes first, unless it is one that people write where there is no number."""
    if word.lower() in MISSING:
        return ""
    return f" (first in row {int(text.index[text.str.strip() == word][0]) + 1:,})"
