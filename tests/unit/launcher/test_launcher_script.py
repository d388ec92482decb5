"""The script ``./automations`` itself, copied into a small root of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # each makes a virtual environment

SCRIPT = Path(__file__).parents[3] / "automations"
COMMAND = (
    "import os, sys\n"
    "print('ran', *sys.argv[1:], os.environ['PYTHONPATH'].split(os.pathsep)[0])\n"
    "sys.exit(7)\n"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root whose path has a space and whose lock wants nothing."""
    root = tmp_path / "a root"
    package = root / "include" / "automations" / "launcher"
    package.mkdir(parents=True)
    (package / "__main__.py").write_text(COMMAND)
    for name in ("launcher/commands.py", "kit/ages.py"):
        target = root / "include" / "automations" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(SCRIPT.parent / "include" / "automations" / name, target)
    for name in ("requirements.txt", "requirements-dev.txt"):
        (root / name).write_text("# nothing\n")
    shutil.copy(SCRIPT, root / "automations")
    return root


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    kept.pop("AUTOMATIONS_VENV", None)
    return {**kept, "AUTOMATIONS_PYTHON": sys.executable, **more}


def run(script: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(script), *arguments], env=environment(**more), capture_output=True, text=True, cwd="/"
    )


def make_ready(root: Path) -> Path:
    """A virtual environment that is there already, as after a first start."""
    venv = root / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    return venv


def stamp(root: Path, name: str = "requirements") -> None:
    import hashlib

    digest = hashlib.sha256((root / f"{name}.txt").read_bytes()).hexdigest()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    (root / ".venv" / f".installed-{name}").write_text(f"{digest} {version}\n")


def test_the_second_start_installs_nothing(root: Path) -> None:
    make_ready(root)
    stamp(root)
    done = run(root / "automations", "status", "--json")
    assert done.stdout == f"ran status --json {root / 'include'}\n"
    assert done.stderr == ""
    assert done.returncode == 7


def test_it_works_through_a_link_from_anywhere(root: Path, tmp_path: Path) -> None:
    make_ready(root)
    stamp(root)
    link = tmp_path / "link"
    link.symlink_to(root / "automations")
    assert run(link, "up").stdout == f"ran up {root / 'include'}\n"


def test_the_virtual_environment_may_be_elsewhere(root: Path, tmp_path: Path) -> None:
    make_ready(root)
    stamp(root)
    (root / ".venv").rename(tmp_path / "moved")
    done = run(root / "automations", "up", AUTOMATIONS_VENV=str(tmp_path / "moved"))
    assert done.stdout.startswith("ran up")


def test_a_changed_lock_is_installed_anew(root: Path) -> None:
    make_ready(root)
    stamp(root)
    (root / "requirements.txt").write_text("nothing-of-this-name-exists==1.0\n")
    done = run(root / "automations", "up", PIP_NO_INDEX="1", UV_OFFLINE="1")
    assert "Installing requirements.txt" in done.stderr
    assert done.returncode == 1


def test_the_tests_want_the_development_requirements_too(root: Path) -> None:
    make_ready(root)
    stamp(root)
    done = run(root / "automations", "test", PIP_NO_INDEX="1", UV_OFFLINE="1")
    assert "Installing requirements-dev.txt" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (("up", "--profile", "distributed"), {}),
        (("up", "--detach", "--profile=distributed"), {}),
        (("up",), {"AUTOMATIONS_PROFILE": "distributed"}),
    ],
)
def test_a_profile_has_requirements_of_its_own(
    root: Path, arguments: tuple[str, ...], more: dict[str, str]
) -> None:
    make_ready(root)
    stamp(root)
    (root / "requirements-distributed.txt").write_text("nothing-of-this-name-exists==1.0\n")
    done = run(root / "automations", *arguments, PIP_NO_INDEX="1", UV_OFFLINE="1", **more)
    assert "Installing requirements-distributed.txt" in done.stderr


def test_who_has_a_profiles_requirements_has_those_of_all(root: Path) -> None:
    (root / "requirements-distributed.txt").write_text("# more\n")
    distributed = ("up", "--profile", "distributed")
    done = run(root / "automations", *distributed, PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    assert "Installing requirements-distributed.txt" in done.stderr
    assert done.stdout.startswith("ran up")
    for again in (distributed, ("status",), ("up",), ("up", "--profile", "single")):
        assert run(root / "automations", *again).stderr == ""


def test_a_folder_that_is_something_else_is_left_alone(root: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    done = run(root / "automations", "up", AUTOMATIONS_VENV=str(precious))
    assert done.returncode == 1
    assert "not a virtual environment" in done.stderr
    assert (precious / "file").read_text() == "kept"


def test_two_at_once_install_once(root: Path) -> None:
    starts = [
        subprocess.Popen(
            [str(root / "automations"), "up"],
            env=environment(PIP_NO_INDEX="1", PIP_FIND_LINKS=""),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [start.communicate(timeout=600) for start in starts]
    assert [out.startswith("ran up") for out, _ in answers] == [True, True]
    assert sum("Installing requirements.txt" in error for _, error in answers) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 0, "verify-evidence"),
        (("--help",), 0, "verify-evidence"),
        (("prune", "--help"), 0, "--older-than"),
        (("test", "--help"), 0, "pytest"),
        (("upp",), 2, "invalid choice: 'upp'"),
        (("diff",), 2, "FILE"),
        (("key", "--workspace", "My Shop"), 2, "lower-case letters"),
        (("demo", "nothing"), 2, "dependabot"),
    ],
)
def test_who_only_asks_is_answered_with_nothing_installed(
    root: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = run(root / "automations", *arguments)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert not (root / ".venv").exists()


def test_a_folder_that_cannot_be_made_is_named_with_its_setting(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run(root / "automations", "up", AUTOMATIONS_VENV=str(tmp_path / "file" / "venv"))
    assert done.returncode == 1
    assert "AUTOMATIONS_VENV names another folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_index_that_does_not_answer_is_said_in_a_sentence(root: Path) -> None:
    (root / "requirements-uv.txt").write_text(f"nothing==1.0 --hash=sha256:{'0' * 64}\n")
    done = run(
        root / "automations",
        "up",
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_RETRIES="1",
        PIP_CONFIG_FILE=os.devnull,
        PIP_FIND_LINKS="",
    )
    assert done.returncode == 1
    assert "the index does not answer" in done.stderr
    assert "Connection refused" in done.stderr
    assert "No matching distribution" not in done.stderr


def test_uv_is_installed_by_its_hashes_alone() -> None:
    lines = (SCRIPT.parent / "requirements-uv.txt").read_text().splitlines()
    (wanted,) = [line for line in lines if line and not line.startswith(("#", " "))]
    assert wanted.startswith("uv==")
    assert sum("--hash=sha256:" in line for line in lines) > 10


def test_without_a_suitable_python_it_says_what_is_needed(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python3", "python"):
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(root / "automations"), "up"],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Python 3.11" in done.stderr


@pytest.fixture
def debian(root: Path, tmp_path: Path) -> Path:
    """A list of packages, and a machine on which apt-get is all there is; gives its words."""
    make_ready(root)
    stamp(root)
    (root / "requirements-debian.txt").write_text("# why\nwriter\n\nfonts-all\n")
    programs = tmp_path / "programs"
    programs.mkdir()
    asked = tmp_path / "asked"
    (programs / "apt-get").write_text(
        f'#!/bin/sh\necho "$@" >>{asked}\necho no such; exit $FAILS\n'
    )
    (programs / "apt-get").chmod(0o755)
    return asked


def up(root: Path, command: str = "up", **more: str) -> str:
    programs = str(root.parent / "programs")
    done = run(root / "automations", command, **{"PATH": programs, "FAILS": "0", **more})
    assert done.stdout.startswith(f"ran {command}"), done.stderr
    return done.stderr


is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may install")


@is_root
def test_the_systems_packages_are_installed_once_by_name(root: Path, debian: Path) -> None:
    assert "Installing LibreOffice and fonts" in up(root)
    update, install = debian.read_text().splitlines()
    assert update.endswith(" update -q")
    assert " install -y -q --no-install-recommends" in install
    assert install.endswith(" writer fonts-all")
    assert up(root) == ""
    assert len(debian.read_text().splitlines()) == 2


@is_root
def test_the_tests_have_a_browser_installed_too_and_nobody_else(root: Path, debian: Path) -> None:
    stamp(root, "requirements-dev")
    (root / "requirements-debian-dev.txt").write_text("browser\n")
    up(root)
    assert "Installing Chromium" in up(root, "test")
    assert debian.read_text().splitlines()[-1].endswith(" browser")
    assert up(root, "test") == ""


@is_root
def test_a_profile_has_its_servers_installed_and_nobody_else(root: Path, debian: Path) -> None:
    (root / "requirements-debian-distributed.txt").write_text("proxy\nqueue\n")
    (root / "requirements-distributed.txt").write_text("# more\n")
    stamp(root, "requirements-distributed")
    up(root)
    assert not debian.read_text().splitlines()[-1].endswith("queue")
    assert "Installing HAProxy and Redis" in up(root, AUTOMATIONS_PROFILE="distributed")
    assert debian.read_text().splitlines()[-1].endswith(" proxy queue")
    assert up(root, AUTOMATIONS_PROFILE="distributed") == ""


@is_root
def test_packages_that_cannot_be_installed_stop_nothing_and_are_said_once(
    root: Path, debian: Path
) -> None:
    said = up(root, FAILS="100")
    assert "could not be installed:\nno such" in said
    assert "apt-get install --no-install-recommends writer fonts-all" in said
    assert up(root) == ""


def test_without_leave_or_apt_nothing_is_installed(root: Path, debian: Path) -> None:
    assert up(root, AUTOMATIONS_SYSTEM_PACKAGES="no") == ""
    assert "apt-get install --no-install-recommends writer fonts-all" in up(root, PATH="/nowhere")
    assert up(root, PATH="/nowhere") == ""
    assert not debian.exists()


def test_what_is_there_is_not_installed(root: Path, debian: Path) -> None:
    office = root.parent / "programs" / "soffice"
    office.write_text("#!/bin/sh\n")
    office.chmod(0o755)
    assert up(root) == ""
    assert not debian.exists()
