"""Permissions: who else can read or change a file, and a secret that everybody can change."""

import pytest

from evergreen.errors import RunningError
from evergreen.permissions import check_secret, exposed


@pytest.mark.parametrize(
    ("mode", "shared", "says"),
    [
        (0o600, False, ""),
        (0o640, False, "read by its group (mode 0640). Close it: chmod 600 "),
        (0o660, False, "changed by its group (mode 0660). Close it: chmod 600 "),
        (0o664, False, "changed by its group (mode 0664). Close it: chmod 600 "),
        (0o644, False, "read by other users (mode 0644). Close it: chmod 600 "),
        (0o660, True, ""),
        (0o664, True, "read by other users (mode 0664). Close it: chmod o-rwx "),
        (0o666, True, "changed by other users (mode 0666). Close it: chmod o-rwx "),
    ],
)
def test_what_others_can_do_with_a_file(tmp_path, mode, shared, says):
    file = tmp_path / "file"
    file.touch()
    file.chmod(mode)
    assert exposed(file, shared) == (f"{file} can be {says}{file}" if says else "")


def test_a_folder_keeps_its_right_to_be_entered(tmp_path):
    tmp_path.chmod(0o755)
    assert exposed(tmp_path).endswith(f"chmod 700 {tmp_path}")


def test_what_is_not_there_is_not_open(tmp_path):
    assert exposed(tmp_path / "nothing") == check_secret(tmp_path / "nothing") == ""


@pytest.mark.parametrize("mode", [0o602, 0o666])
def test_a_secret_that_every_user_can_change_is_refused(tmp_path, mode):
    file = tmp_path / "file"
    file.touch()
    file.chmod(mode)
    with pytest.raises(RunningError, match=f"changed by other users .* chmod 600 {file}, once you have checked"):
        check_secret(file)
