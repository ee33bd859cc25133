"""The likeliest encoding of text that is no UTF-8, by what its words look like.

It is that of Western Europe unless its words look wrong there, such as ``£ódŸ``, and right in another; or unless one
language of another spells them all, and none of Western Europe does. So it stays where there is little text.
"""

import itertools
import re
import unicodedata
from collections.abc import Callable, Collection

_LINES = 2000  # that words are looked at in
_WESTERN = "cp1252"
_LATIN = (_WESTERN, "cp1250", "iso8859_2", "cp1254", "cp1257", "iso8859_15")
_OTHER = ("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256")
_ASIAN = ["gb18030", "cp932", "cp949", "big5", "euc_jp"]
_OLD = ("cp850", "cp866", "mac_roman")
_WORD = re.compile(r"[^\x00-@\[-`{-\x7f]+")
_WRONG = 0.1  # share of words that look wrong, above which the text is not Western
_RIGHT = 0.25  # of that share, which at most look wrong in another encoding
_MUCH = 5  # words that look wrong, from which on an encoding of DOS or of the old Macintosh is thought of
_SPELT = 0.99  # share of words that a language spells, and
_BETTER = 0.07  # by how much more than any of Western Europe
_LETTERS = 3  # different letters that Western Europe would not have there, which tell a language
_BRACKETS = frozenset({"Pi", "Pf", "Pd", "Ps", "Pe"})  # categories of quotes, dashes and brackets
_NEVER = frozenset("\ufffd¤")
_SIGNS = frozenset("ªºµ")  # which Unicode takes for letters
_ASIA = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL"})
_BESIDE = frozenset("’‘´`·\xad")  # which may stand between letters
_BEHIND = frozenset("²³¹°ºª™®©")  # and behind them
_BEFORE = frozenset("°¿¡µ")  # and before them, as in °C
# Letters of languages beyond ASCII, as in Unicode's CLDR.
_WEST = (
    "äöüß",
    "äåöšž",
    "àâæçéèêëîïôœùûüÿ",
    "áéíñóúüª",
    "ãáâàçéêíõôóúü",
    "åäöé",
    "åæøéó",
    "áæéíðóöúýþ",
    "àèéìíîòóù",
    "äëïéèóöüí",
)
_ALPHABETS = {
    "cp1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţ"),
    "cp1254": ("çğıöşüİâî",),
    "cp1257": ("ąčęėįšųūž", "āčēģīķļņšūž"),
}
_ALPHABETS["iso8859_2"] = _ALPHABETS["cp1250"]


def of_words(piece: bytes) -> str:
    """The likeliest encoding of text with letters beyond ASCII.

    Examples
    --------
    >>> [of_words(text.encode(name)) for text, name in (("20 °C", "cp1252"), ("Łódź", "cp1250"), ("Москва", "cp1251"))]
    ['cp1252', 'cp1250', 'cp1251']
    """
    different = dict.fromkeys(line for line in piece.splitlines() if not line.isascii())
    lines = b"\n".join(itertools.islice(different, _LINES))
    found = {name: _words(lines, name) for name in (*_LATIN, *_OTHER)}
    faults = {name: _wrong(words) for name, words in found.items()}
    wrong = faults[_WESTERN]
    if wrong <= _WRONG:
        return _by_alphabet(found, faults)
    if asian := _asian(lines):
        found[asian] = _words(lines, asian)
        faults[asian] = _share(found[asian], lambda word: _looks_wrong(word) or not _ASIA & _scripts(word))
    if wrong * len(found[_WESTERN]) >= _MUCH:
        found |= {name: _words(lines, name) for name in _OLD}
        faults |= {name: _wrong(found[name]) for name in _OLD}
    best = min(faults, key=lambda name: (faults[name], -_of_one_language(found[name], name)))
    return best if faults[best] <= _RIGHT * wrong else _WESTERN


def _words(lines: bytes, encoding: str) -> set[str]:
    """The words with letters beyond ASCII, in an encoding; what it does not have stands as a character that is none."""
    text = lines.decode(encoding, "replace")
    return {word for word in _WORD.findall(text) if not word.isascii()}


def _wrong(words: set[str]) -> float:
    """The share of words that look wrong."""
    return _share(words, _looks_wrong)


def _share(words: Collection[str], has: Callable[[str], bool]) -> float:
    return sum(map(has, words)) / len(words) if words else 0.0


def _looks_wrong(word: str) -> bool:
    """Whether letters and signs stand in a word as they do in no language.

    Examples
    --------
    >>> [word for word in ("Łódź", "£ódŸ", "Bia³ystok", "Ìîñêâà", "Mьnchen", "ŁódĽ", "°C") if _looks_wrong(word)]
    ['£ódŸ', 'Bia³ystok', 'Ìîñêâà', 'Mьnchen', 'ŁódĽ']
    """
    scripts = _scripts(word)
    return (
        any(sign in _NEVER or (unicodedata.category(sign)[0] == "C" and sign not in _BESIDE) for sign in word)
        or len(scripts - _ASIA) + bool(scripts & _ASIA) > 1
        or "HALFWIDTH" in scripts
        or _has_signs(word)
        or _has_capitals(word)
        or ("LATIN" in scripts and _is_accented(word))
    )


def _scripts(word: str) -> set[str]:
    """The scripts of the letters of a word."""
    return {unicodedata.name(sign, "?").split()[0] for sign in word if sign.isalpha() and sign not in _SIGNS}


def _is_letter(sign: str) -> bool:
    return (sign.isalpha() and sign not in _SIGNS) or unicodedata.category(sign)[0] == "M"


def _has_signs(word: str) -> bool:
    """Whether a sign stands between letters, before or behind them, as it does not in words; or there are many."""
    signs = [place for place, sign in enumerate(word) if not _is_letter(sign) and sign not in _BESIDE]
    return len(signs) > max(1, len(word) // 2) or any(_is_strange(word, place) for place in signs)


def _is_strange(word: str, place: int) -> bool:
    """Whether the sign at a place belongs elsewhere."""
    sign, before, after = word[place], word[:place][-1:], word[place + 1 :][:1]
    category = unicodedata.category(sign)
    if category in _BRACKETS:
        return False
    leads = bool(after) and _is_letter(after) and sign not in _BEFORE
    ends = bool(before) and _is_letter(before) and sign not in _BEHIND and category not in ("Po", "So")
    return leads or ends


def _has_capitals(word: str) -> bool:
    """Whether a capital beyond ASCII follows a small letter, or stands before one within a word."""
    for first, second, third in zip(word, word[1:], f"{word[2:]} ", strict=False):
        strange = not (first + second).isascii()
        if strange and first.islower() and second.isupper():
            return True
        if not second.isascii() and first.isalpha() and second.isupper() and third.islower():
            return True
    return False


def _is_accented(word: str) -> bool:
    """Whether a word of three letters or more has hardly any without an accent."""
    letters = [sign for sign in word if sign.isalpha()]
    plain = sum(sign.isascii() for sign in letters)
    return len(letters) >= 3 and plain < len(letters) / 4


def _by_alphabet(found: dict[str, set[str]], faults: dict[str, float]) -> str:
    """An encoding in which one language spells all words, and none of Western Europe does; else the Western one."""
    western = _of_one_language(found[_WESTERN], _WESTERN)
    for name in _ALPHABETS:
        share = _of_one_language(found[name], name)
        own = _letters(found[name]) - _letters(found[_WESTERN])
        told = len(own) >= _LETTERS and share >= _SPELT and share - western >= _BETTER
        if told and faults[name] <= faults[_WESTERN]:
            return name
    return _WESTERN


def _letters(words: set[str]) -> set[str]:
    """The letters beyond ASCII, in small."""
    return {sign for word in words for sign in word.lower() if not sign.isascii() and sign.isalpha()}


def _of_one_language(words: set[str], encoding: str) -> float:
    """The share of words that the likeliest language of an encoding spells."""
    if encoding in (*_OTHER, *_ASIAN):
        return 1.0
    return max(_spelt(words, alphabet) for alphabet in _ALPHABETS.get(encoding, _WEST))


def _spelt(words: set[str], alphabet: str) -> float:
    """The share of words whose letters beyond ASCII are all in an alphabet."""
    there = {*alphabet, *alphabet.upper(), "\u0307"}
    letters = [{sign for sign in word if not sign.isascii() and sign.isalpha()} for word in words]
    written = [own for own in letters if own]
    return sum(own <= there for own in written) / len(written) if written else 1.0


def _asian(lines: bytes) -> str:
    """The likeliest encoding of East Asia; empty if it is none."""
    from charset_normalizer import from_bytes

    best = from_bytes(lines, cp_isolation=_ASIAN).best()
    return best.encoding if best else ""
