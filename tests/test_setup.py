"""tools/setup.sh on machines that lack something: made-up programs on the PATH."""

import os
import shutil
import subprocess
import sys

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# What the script calls; everything else is missing on these machines, pip above all.
SYSTEM = (
    'bash sh dirname mkdir rmdir cat cut awk df grep sed ls rm mv tail sleep nproc getconf flock '
    'du gcc g++ git make'
)
# What a valid stamp stands for.
STAMPED = ('requirements.txt', 'pyproject.toml', 'setup.py', 'semcl_mm/datasets/_png_rows.c')


@pytest.fixture
def machine(tmp_path, repository):
    """A checkout and a PATH of their own: ``machine.run()`` and ``machine.program(name, text)``."""

    class Machine:
        checkout = tmp_path / 'checkout'
        programs = tmp_path / 'bin'

        def program(self, name, text):
            (self.programs / name).unlink(missing_ok=True)
            (self.programs / name).write_text(f'#!{shutil.which("bash")}\n{text}\n')
            (self.programs / name).chmod(0o755)

        def python(self, name, version, lacks='nothing', include='/nowhere'):
            """An interpreter that answers what the script asks."""
            self.program(
                name,
                f'case "$2" in\n  *"{lacks}"*) exit 1;;\n'
                f'  *version_info*) echo {version};;\n  *sysconfig*) echo {include};;\nesac',
            )

        def run(self, **variables):
            done = subprocess.run(
                ['bash', 'tools/setup.sh'],
                cwd=self.checkout,
                env={'PATH': str(self.programs), **variables},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
            )
            return done.returncode, done.stderr + done.stdout

    (Machine.checkout / 'tools').mkdir(parents=True)
    Machine.programs.mkdir()
    (Machine.checkout / 'semcl_mm/datasets').mkdir(parents=True)
    for name in ('tools/setup.sh', *STAMPED):
        shutil.copy(repository / name, Machine.checkout / name)
    for name in SYSTEM.split():
        if shutil.which(name):
            (Machine.programs / name).symlink_to(shutil.which(name))
    return Machine()


@pytest.fixture
def include(tmp_path):
    (tmp_path / 'include').mkdir()
    (tmp_path / 'include' / 'Python.h').write_text('')
    return tmp_path / 'include'


def test_without_any_python_each_candidate_is_named_and_what_to_install(machine):
    code, said = machine.run()
    assert code == 1
    for name in ('python3.10', 'python3.11', 'python3.12', 'python3'):
        assert f'{name}: not found' in said
    assert 'python3.11-venv python3.11-dev' in said
    assert not (machine.checkout / '.venv').exists()


@pytest.mark.parametrize('version', ['3.8', '3.9', '3.13'])
def test_a_wrong_python_is_named_with_those_that_will_do(machine, version):
    machine.python('python3', version)
    code, said = machine.run()
    assert code == 1
    assert f'python3: is Python {version}; 3.10, 3.11 or 3.12 is needed' in said


@pytest.mark.parametrize(
    ('lacks', 'named'),
    [('ensurepip', 'python3.12-venv'), ('lzma', 'without bz2, ctypes, lzma or ssl')],
)
def test_a_python_without_what_is_needed_is_named_with_the_package(machine, lacks, named):
    machine.python('python3.12', '3.12', lacks=lacks)
    code, said = machine.run(PYTHON='python3.12')
    assert code == 1
    assert 'python3.12: ' in said
    assert named in said
    assert 'python3.11: ' not in said  # PYTHON names the only candidate


def test_a_python_without_headers_is_named_with_the_package(machine):
    machine.python('python3.10', '3.10')
    code, said = machine.run()
    assert code == 1
    assert 'no /nowhere/Python.h: install python3.10-dev' in said


@pytest.mark.parametrize('tool', ['git', 'g++', 'gcc', 'make'])
def test_a_missing_tool_is_named_before_anything_is_made(machine, include, tool):
    machine.python('python3.11', '3.11', include=include)
    (machine.programs / tool).unlink()
    code, said = machine.run()
    assert code == 1
    assert f'error: {tool} is missing' in said
    assert 'apt install' in said
    assert not (machine.checkout / '.venv').exists()


def test_a_compiler_without_cpp17_is_named(machine, include):
    machine.python('python3.11', '3.11', include=include)
    machine.program('g++', 'exit 1')
    code, said = machine.run()
    assert code == 1
    assert 'g++ does not compile C++17' in said


def test_a_step_that_fails_shows_its_error_and_leaves_no_stamp(machine, include):
    machine.python('python3.11', '3.11', include=include)
    machine.program(
        'python3.11',
        f'case "$*" in *"-m venv"*) echo "no space left on device" >&2; exit 7;; '
        f'*version_info*) echo 3.11;; *sysconfig*) echo {include};; esac',
    )
    code, said = machine.run()
    assert code == 1
    assert 'no space left on device' in said
    assert 'error: .venv failed' in said
    assert not (machine.checkout / '.venv' / '.semcl_mm_setup').exists()


@pytest.fixture
def finished(machine):
    """A checkout with a valid stamp. Its Python answers the fingerprint and refuses all else.

    It must not be a link to a real one: that leads to the Python below this environment.
    """
    binaries = machine.checkout / '.venv' / 'bin'
    binaries.mkdir(parents=True)
    python = binaries / 'python'
    python.write_text(
        f'#!{shutil.which("bash")}\n'
        f'case "$2" in *hashlib*) exec {sys.executable} "$@";; esac\n'
        'echo "refused: $*" >&2\nexit 1\n'
    )
    python.chmod(0o755)
    script = (machine.checkout / 'tools/setup.sh').read_text()
    fingerprint = script[script.index('import hashlib') : script.index("' 2>/dev/null\n}")]
    stamp = subprocess.run(
        [python, '-c', fingerprint],
        cwd=machine.checkout,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (machine.checkout / '.venv/.semcl_mm_setup').write_text(stamp)
    return machine


def test_a_second_call_does_nothing_and_says_nothing(finished):
    assert finished.run() == (0, '')
    assert not (finished.checkout / '.build').exists()


@pytest.mark.parametrize('name', STAMPED)
def test_a_changed_pin_or_source_makes_the_stamp_invalid(finished, name):
    path = finished.checkout / name
    path.write_text(path.read_text() + '\n# changed\n')
    code, said = finished.run()
    assert code == 1
    assert 'no Python that will do' in said  # it set out to work


def test_an_environment_that_was_moved_is_not_taken_for_done(finished):
    moved = finished.checkout.with_name('moved')
    os.rename(finished.checkout, moved)
    finished.checkout = moved
    assert finished.run()[0] == 1


def test_nothing_is_installed_through_a_python_that_is_no_environment(machine, include):
    # What a fake venv leaves: a python, a configuration, a pip, and a prefix that is not .venv.
    calls = machine.checkout / 'calls'
    fake = (
        f'echo "$*" >> {calls}\n'
        f'case "$*" in *sys.prefix*) exit 1;; *version_info*) echo 3.11;; '
        f'*sysconfig*) echo {include};;\n'
        '*"-m venv"*) mkdir -p .venv/bin && cat "$0" > .venv/bin/python;; esac'
    )
    machine.program('python3.11', fake)
    code, said = machine.run()
    assert code == 1
    assert '.venv is no environment of its own' in said
    assert ' install ' not in calls.read_text()


@pytest.mark.parametrize('python', ['3.10', '3.11', '3.12'])
def test_what_the_project_and_its_extras_ask_for_is_pinned_within_their_ranges(repository, python):
    """So `make test` skips nothing for want of a package; wandb, which wants an account, is out."""
    environment = {**default_environment(), 'python_version': python}
    pins = {}
    for line in (repository / 'requirements.txt').read_text().splitlines():
        if line and not line.startswith('#'):
            pin = Requirement(line)
            if pin.marker is None or pin.marker.evaluate(environment):
                (exact,) = pin.specifier
                pins[canonicalize_name(pin.name)] = exact.version
    project = tomllib.loads((repository / 'pyproject.toml').read_text())['project']
    lists = [project['dependencies'], *project['optional-dependencies'].values()]
    wanted = [Requirement(text) for requirements in lists for text in requirements]
    wanted = [w for w in wanted if w.name not in ('semcl_mm', 'wandb')]
    assert len(wanted) > 20
    outside = {w.name: str(w.specifier) for w in wanted if not _holds(w, pins)}
    assert outside == {}


def _holds(wanted, pins):
    return wanted.specifier.contains(pins.get(canonicalize_name(wanted.name), '0'))
