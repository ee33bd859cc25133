"""Which files are a model's: found in the text of imports, in every form that Python knows."""

import pytest

from evergreen.definition.code.source_files import Code, displayed, of_model

LIB = {
    "lib/text.py": "from .maths import double\n",
    "lib/maths.py": "def double(x): return 2 * x\n",
    "lib/unused.py": "raise RuntimeError\n",
    "lib/deep/__init__.py": "from . import inner\n",
    "lib/deep/inner.py": "y = 1\n",
    "_shared.py": "z = 1\n",
    "json.py": "raise RuntimeError('this is not the json of Python')\n",
    "numpy.py": "raise RuntimeError('nor this numpy')\n",
    "other.py": "w = 1\n",
}
TEXT = {"lib/text.py", "lib/maths.py"}
DEEP = {"lib/deep/__init__.py", "lib/deep/inner.py"}


@pytest.fixture
def folder(tmp_path):
    for path, text in LIB.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("import json, numpy, os", set()),
        ("from .lib.text import double", TEXT),
        ("from .lib import text", TEXT),
        ("from . import lib, _shared", {"_shared.py"}),
        ("from lib.text import double", TEXT),
        ("from lib import text as t, maths", TEXT),
        ("import lib.text", TEXT),
        ("from models.lib.text import *", TEXT),
        ("from models import _shared", {"_shared.py"}),
        ("import models.lib.deep.inner", DEEP),
        ("def estimator():\n    from lib.text import double\n    return double", TEXT),
        ("try:\n    import lib.deep\nexcept ImportError:\n    pass", DEEP),
        ("from other import w", {"other.py"}),
        ("import toy, models.toy", set()),
        ("from lib.nothing import x\nfrom ..above import y\nimport nowhere", set()),
        ("(", set()),
    ],
)
def test_modules_that_a_model_file_imports_are_part_of_its_code(folder, text, more):
    (folder / "toy.py").write_text(text)
    code = of_model(folder / "toy.py")
    assert set(dict(code.files)) == {"toy.py", *more}
    assert bool(code.modules) == bool(more)


def test_equal_code_has_one_name_wherever_it_lies_and_other_code_another(folder, tmp_path_factory):
    (folder / "toy.py").write_text("from lib.text import double")
    there = tmp_path_factory.mktemp("another place")
    for path, text in of_model(folder / "toy.py").files:
        (there / path).parent.mkdir(exist_ok=True)
        (there / path).write_text(text.replace("\n", "\r\n"))
    first = of_model(folder / "toy.py").package
    assert of_model(there / "toy.py").package == first
    (folder / "lib" / "unused.py").write_text("another text")
    assert of_model(folder / "toy.py").package == first
    (folder / "lib" / "maths.py").write_text("def double(x): return 3 * x\n")
    assert of_model(folder / "toy.py").package != first


def test_files_cannot_change_places_under_one_name():
    one, other = {"a.py": "1", "b.py": "2"}, {"a.py": "2", "b.py": "1"}
    assert Code.of_texts(one).package != Code.of_texts(other).package


def test_a_type_is_shown_by_the_name_that_its_author_knows():
    assert displayed(f"{Code.of_texts({}).package}.toy") == "models.toy"
