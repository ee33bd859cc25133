"""A prepared home is made again once a file changes that its models are made of."""

from tests.prepared_homes import PreparedHomes


def made(home):
    made.count += 1
    (home / "made").write_text(str(made.count))
    return made.count


def test_a_home_is_prepared_once_for_each_text_of_the_model_files_and_of_their_modules(home, tmp_path):
    made.count, homes, module = 0, PreparedHomes(tmp_path / "prepared"), home.parent / "models" / "lib" / "shapes.py"
    module.parent.mkdir()
    module.write_text("SIDES = 3")
    assert [homes.begin(made, home), homes.begin(made, home)] == [1, 1]
    module.write_text("SIDES = 4")
    assert [homes.begin(made, home), homes.begin(made, home)] == [2, 2]
