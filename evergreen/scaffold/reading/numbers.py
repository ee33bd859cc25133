"""Numbers as people write them: units, separators, and words where there is none."""

import re
from collections import Counter

import pandas as pd

from evergreen.definition.parsing.number_format import NumberFormat

_CURRENCIES = "$€£¥₹₽¢"
_CODES = r"(?:USD|EUR|GBP|CHF|JPY|CNY|INR|Rs\.?)"
_SPACES = "\u00a0\u202f"  # between thousands, where a line may not break
_WRITTEN = re.compile(
    rf"(?P<before>[+-]?(?:[{_CURRENCIES}]|{_CODES})?\s*)(?P<core>[+-]?[\d.,'{_SPACES} ]*\d)(?P<after>\s*[^\d]*)"
)
_SEPARATORS = ((".", ""), (".", ","), (",", "."), (".", "'"), (",", ""), (",", " "), (".", " "))
_MINUS = "\u2212"
_IN_PARENTHESES = re.compile(r"^([^()+-]*)\(([^()+-]*\d[^()+-]*)\)$")
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
        Whether a comma before three digits stands before a fraction, as other columns of the table show.

    Examples
    --------
    >>> find(pd.Series(["$1,234.50", "$7.00", "n/a"]))[0]
    NumberFormat(decimal='.', thousands=',', remove='$', parentheses=False, missing=['n/a'])
    """
    counts = Counter(text.str.strip().tolist())
    plain = {value: _IN_PARENTHESES.sub(r"-\1\2", value).replace(_MINUS, "-") for value in counts}
    written = {value: match for value in counts if (match := _WRITTEN.fullmatch(plain[value]))}
    units: Counter[tuple[str, str]] = Counter()
    for value, match in written.items():
        units[_unit(match)] += counts[value]
    if not units:
        return None
    unit = next((unit for unit, _ in units.most_common() if any(unit)), ("", ""))  # beside it there may be bare numbers
    cores = {value: match["core"] for value, match in written.items() if _unit(match) in (unit, ("", ""))}
    (decimal, thousands), read = _separators(cores, comma=comma)
    remove, words = "".join(dict.fromkeys("".join(unit))), sorted(counts.keys() - read)
    if decimal in remove or not _are_few(words, counts):
        return None
    parentheses = any("(" in value for value in read)
    format = NumberFormat(decimal=decimal, thousands=thousands, remove=remove, parentheses=parentheses, missing=words)
    return format, _told(remove, words, counts, text)


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
    plain = {value: re.sub(f"[{_SPACES}]", " ", core) for value, core in cores.items()}
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
    group = rf"\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+|\d+" if thousands else r"\d+"
    fraction = re.escape(decimal)
    return re.compile(rf"[+-]?(?:(?:{group})(?:{fraction}\d*)?|{fraction}\d+)")


def _told(unit: str, words: list[str], counts: "Counter[str]", text: pd.Series) -> str:
    shown = ", ".join(f"{word!r} in {counts[word]:,}{_place(word, text)}" for word in words)
    parts = [f"numbers with {unit!r}"] if unit else []
    parts += [f"read as missing: {shown} of {sum(counts.values()):,} rows"] if words else []
    return "; ".join(parts)


def _place(word: str, text: pd.Series) -> str:
    """Where a word comes first, unless it is one that people write where there is no number."""
    if word.lower() in MISSING:
        return ""
    return f" (first in row {int(text.index[text.str.strip() == word][0]) + 1:,})"
