"""The encoding of text files of many countries, by their bytes alone."""

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evergreen.errors import SourceError
from evergreen.scaffold.reading import encodings
from evergreen.scaffold.reading.encodings import guess_encoding

WEST = (
    "São Paulo|Málaga|Köln|København|Orléans|Göteborg|Curaçao|Reykjavík|Þórshöfn|Århus|Zürich|Genève|Nîmes|Maceió"
    "|Logroño|Jyväskylä|Città di Castello|Forlì|NAÏVE|DÜSSELDORF|œuvre|Hauptstraße 5"
)
SIGNS = "20 °C|£12|€5|m²|m³/h|1½|5 µm|§ 5|a – b|it’s|“good”|„gut“|Foo™|Bar®|±5 %|Ø 5 mm|¿Qué?|¡Hola!|Nº 5|«voilà»|5 × 3"
SPELT = {
    "cp1250": [
        "Łódź|Kraków|Poznań",
        "Gdańsk|Wrocław|Częstochowa|Białystok",
        "Plzeň|České Budějovice|Ústí|Žďár|Třebíč|Děčín",
        "Bucureşti|Iaşi|Timişoara",
        "Košice|Žilina|Prešov|Ľubovňa|Dolný Kubín|Čadca|Trebišov",
    ],
    "cp1251": ["Москва|Казань", "Санкт-Петербург|Екатеринбург|Нижний Новгород", "да|нет", "Київ|Львів|Харків"],
    "cp1253": ["Αθήνα|Θεσσαλονίκη|Πάτρα"],
    "cp1254": ["İstanbul|Eskişehir|Muğla|Iğdır|Şanlıurfa|Çanakkale|Balıkesir|Gümüşhane|Niğde"],
    "cp1256": ["القاهرة|الرياض"],
    "cp1257": ["Šiauliai|Panevėžys|Mažeikiai|Telšiai|Šilutė|Kėdainiai|Čiobiškis"],
    "koi8-r": ["Москва|Казань"],
    "cp932": ["東京|大阪", "トヨタ|ホンダ|さくら"],
    "gb18030": ["北京|上海", "深圳|广州|杭州|成都"],
    "big5": ["臺北|高雄"],
    "cp949": ["서울|부산|대구|인천"],
    "euc_jp": ["東京|大阪"],
    "cp850": ["München|Köln|Düsseldorf|Nürnberg|Lübeck|Göttingen|Würzburg"],
    "cp866": ["Москва|Санкт-Петербург|Казань|Екатеринбург|Новосибирск|Самара|Омск"],
    "utf-16-le": ["Köln", "plain"],
    "utf-16-be": ["Köln", "plain"],
    "utf-16": ["Köln"],
    "utf-32": ["Köln"],
    "utf-32-le": ["Köln"],
    "utf-32-be": ["Köln"],
    "utf-8": ["Köln", "Łódź", "東京", "plain"],
    "utf-8-sig": ["Köln"],
}
ONE = ["ä", "ü", "é", "ñ", "€", "°", "£", "²", "½", "µ", "ß"]
CASES = [("cp1252", text) for text in (*ONE, *WEST.split("|"), *SIGNS.split("|"), WEST, SIGNS)]
CASES += [(encoding, text) for encoding, texts in SPELT.items() for text in texts]


def table_of(values, count=300):
    rows = [f"{n},2026-01-{1 + n % 28:02},{values[n % len(values)]},{n % 13}" for n in range(count)]
    return "\n".join(["id,ts,g,y", *rows])


@pytest.mark.long
@pytest.mark.parametrize(("encoding", "text"), CASES)
def test_text_is_read_as_it_was_written(tmp_path, encoding, text):
    path, table = tmp_path / "rows.csv", table_of([*text.split("|"), "x"])
    path.write_bytes(table.encode(encoding))
    guessed = guess_encoding([path])[path]
    assert path.read_bytes().decode(guessed).removeprefix("\ufeff") == table


@pytest.mark.long
def test_a_few_words_of_several_western_languages_are_western(tmp_path):
    draw, words, path = random.Random(0), [*WEST.split("|"), *SIGNS.split("|")], tmp_path / "rows.csv"
    wrong = 0
    for _ in range(300):
        table = table_of(draw.sample(words, draw.randint(1, 12)), 30)
        path.write_bytes(table.encode("cp1252"))
        wrong += path.read_bytes().decode(guess_encoding([path])[path]) != table
    assert wrong <= 3


@pytest.mark.parametrize(("stray", "more"), [(1, ""), (5, ", and 4 more are wrong")])
def test_utf8_with_a_few_other_bytes_is_told_by_line(tmp_path, stray, more):
    lines = table_of(["Köln", "Ä"], 1000).encode().split(b"\n")
    for number in range(stray):
        lines[600 + number] = "9,2026-01-01,Jörg,1".encode("cp1252")
    (tmp_path / "rows.csv").write_bytes(b"\n".join(lines))
    with pytest.raises(SourceError, match=rf"is written in UTF-8, but line 601 has the bytes f6{more}\. Correct"):
        guess_encoding([tmp_path / "rows.csv"])


def test_a_stray_byte_far_behind_in_a_large_file_is_told_by_line(tmp_path):
    lines = table_of(["Köln", "x" * 100], 30_000).encode().split(b"\n")
    lines[25_000] = b"9,2026-01-01,J\xf6rg,1"
    (tmp_path / "rows.csv").write_bytes(b"\n".join(lines))
    with pytest.raises(SourceError, match=r"line 25,001 has the bytes f6"):
        guess_encoding([tmp_path / "rows.csv"])


def test_bytes_0_of_a_large_file_are_told_by_line(tmp_path):
    lines = table_of(["x" * 100], 30_000).encode().split(b"\n")
    lines[25_000] = b"9,2026-01-01,\0,1"
    (tmp_path / "rows.csv").write_bytes(b"\n".join(lines))
    with pytest.raises(SourceError, match=r"bytes 0 in line 25,001"):
        guess_encoding([tmp_path / "rows.csv"])


def test_files_of_one_source_tell_their_encoding_together(tmp_path):
    towns = ["Kraków", "Łódź", "Gdańsk", "plain"]
    for town in towns:
        (tmp_path / f"{town}.csv").write_text(table_of([town]), encoding="cp1250")
    paths = sorted(tmp_path.iterdir())
    assert guess_encoding(paths) == dict.fromkeys(paths, "cp1250")


@given(st.lists(st.sampled_from([b"a", b"bc\n", b"\n", b"d\r", b"ef"])), st.integers(1, 5))
def test_a_file_that_comes_in_short_pieces_is_seen_once_in_whole_lines(parts, most):
    class Short(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, most))

    file = Short(b"".join(parts))
    pieces = list(encodings._whole_lines(file.read(encodings._PIECE), file))
    assert b"".join(pieces) == file.getvalue()
    assert all(not piece or piece.endswith((b"\n", b"\r")) for piece in pieces[:-1])


def test_a_line_without_end_is_not_kept_whole():
    file = io.BytesIO(b"x" * 12_000_000)
    pieces = [*map(len, encodings._whole_lines(b"", file))]
    assert (sum(pieces), max(pieces) <= encodings._LONGEST + encodings._PIECE) == (12_000_000, True)
