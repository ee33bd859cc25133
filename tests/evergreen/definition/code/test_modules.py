"""Code from its text: two versions side by side, every form of import, and no file as it is now."""

import inspect
import sys
import traceback

import pytest

from evergreen.definition.code import modules
from evergreen.definition.code.source_files import Code

MATHS = "def double(x):\n    return 2 * x\n"


def installed(texts):
    code = Code.of_texts(texts)
    modules.install(code)
    return code


def ran(texts, name="toy"):
    return modules.model_module(installed(texts), name)


@pytest.mark.parametrize(
    "text",
    [
        "from .lib.maths import double",
        "from lib.maths import double",
        "from models.lib.maths import double",
        "import lib.maths\ndouble = lib.maths.double",
        "import lib.maths as m\ndouble = m.double",
        "import models.lib.maths\ndouble = models.lib.maths.double",
        "from lib import maths\ndouble = maths.double",
        "from . import lib\nfrom .lib import maths\ndouble = lib.maths.double",
        "from models import lib\nimport lib.maths\ndouble = lib.maths.double",
        "from lib.maths import *",
        "def double(x):\n    from lib.maths import double\n    return double(x)",
        "from lib.chain import double",
    ],
)
def test_each_form_of_import_finds_the_module_that_was_stored(text):
    module = ran({"toy.py": text, "lib/maths.py": MATHS, "lib/chain.py": "from .maths import double"})
    assert module.double(3) == 6


def test_two_versions_of_the_same_modules_live_side_by_side():
    text = "from lib.maths import double\nclass Same:\n    def work(self): return double(1)"
    first, second = (ran({"toy.py": text, "lib/maths.py": maths}) for maths in (MATHS, MATHS.replace("2", "5")))
    assert (first.Same().work(), second.Same().work()) == (2, 5)
    assert first.Same.__module__ != second.Same.__module__
    assert sys.modules[first.Same.__module__] is first


def test_one_class_name_in_two_files_is_two_classes():
    code = {"toy.py": "from lib.a import T\nfrom lib.b import T as U", "lib/a.py": "class T: x = 1"}
    module = ran(code | {"lib/b.py": "class T: x = 2"})
    assert (module.T.x, module.U.x, module.T.__module__ == module.U.__module__) == (1, 2, False)


def test_only_what_is_asked_for_runs():
    code = installed({"toy.py": "raise RuntimeError", "lib/maths.py": MATHS})
    modules.run([f"{code.package}.lib.maths"])
    assert f"{code.package}.lib.maths" in sys.modules
    with pytest.raises(RuntimeError):
        modules.model_module(code, "toy")


def test_a_module_that_was_not_stored_is_not_looked_for_on_the_disk(tmp_path, monkeypatch):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "maths.py").write_text(MATHS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError):
        ran({"toy.py": "from .lib.maths import double"})
    assert ran({"toy.py": "from lib.maths import double", "lib/maths.py": MATHS.replace("2", "7")}).double(1) == 7


def test_a_model_file_named_as_a_package_imports_that_package():
    module = ran({"numpy.py": "import numpy\nfrom .lib import maths", "lib/maths.py": MATHS}, "numpy")
    assert module.numpy.__name__ == "numpy"


def test_tracebacks_and_inspect_show_the_text():
    module = ran({"toy.py": "def fails():\n    raise ValueError('here')  # the line\n"})
    assert "# the line" in inspect.getsource(module.fails)
    try:
        module.fails()
    except ValueError:
        assert "# the line" in traceback.format_exc()


def test_processes_of_joblib_get_the_code_with_their_work():
    from joblib import Parallel, delayed

    text = "from lib.maths import double\nclass Work:\n    def do(self, x): return double(x)"
    module = ran({"toy.py": text, "lib/maths.py": MATHS.replace("2", "11")})
    modules.send_by_value(module.__name__)
    assert Parallel(n_jobs=2)(delayed(module.Work().do)(number) for number in (1, 2)) == [11, 22]


def itself(value):
    return value


WITHIN = {
    "absolute": "from lib.maths import double",
    "absolute, whole": "import lib.maths\n        double = lib.maths.double",
    "of the folder": "import models.lib.maths as maths\n        double = maths.double",
    "relative": "from .lib.maths import double",
    "through another": "from lib.chain import double",
}


@pytest.mark.parametrize("line", WITHIN.values(), ids=WITHIN)
def test_processes_of_joblib_run_imports_within_functions_each_version_its_own(line):
    from joblib import Parallel, delayed

    text = f"class Work:\n    def do(self, x):\n        {line}\n        return double(x)\n"
    text += "def work(x):" + text.partition("x):")[2]
    works, functions = [], []
    for factor in ("3", "5"):
        files = {"toy.py": text, "lib/maths.py": MATHS.replace("2", factor)}
        files["lib/chain.py"] = "def double(x):\n    from lib.maths import double as other\n    return other(x)"
        module = ran(files)
        modules.send_by_value(module.__name__)
        works.append(module.Work())
        functions.append(module.work)
    assert Parallel(n_jobs=2)(delayed(work.do)(10) for work in works) == [30, 50]
    back = Parallel(n_jobs=2)(delayed(itself)(function) for function in functions)  # as parts of a fitted estimator are
    assert [function(10) for function in back] == [30, 50]
