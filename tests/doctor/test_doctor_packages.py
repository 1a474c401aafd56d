"""Every clash that the doctor knows is put before it with made-up distributions."""

import importlib.metadata
from types import SimpleNamespace

import pytest

from semcl_mm.doctor.distributions import UNREADABLE, read_distributions
from semcl_mm.doctor.packages import FORKS, OPENCVS, check_clashes, check_versions

OWN = (
    'numpy>=2.2,<2.3',
    'onedl-mmcv>=2.3.6,<2.4; extra == "engine"',
    'onedl-mmsegmentation>=1.4.2,<1.5; extra == "segmentation"',
    'semcl_mm[engine]; extra == "segmentation"',
    'wandb; extra == "wandb"',
)
SOUND = {
    'semcl_mm': ('0.1.0', OWN),
    'numpy': ('2.2.6', ()),
    'onedl-mmcv': ('2.3.6', ('opencv-python', 'numpy')),
    'onedl-mmsegmentation': ('1.4.2', ('numpy>2',)),
    'opencv-python-headless': ('4.12.0.88', ('numpy<2.3.0,>=2',)),
}


@pytest.fixture
def install(monkeypatch):
    """``install({name: version})``: the sound set with these added, changed or (None) removed."""

    def fake(changes=None, more=()):
        table = {**SOUND}
        for name, version in (changes or {}).items():
            table[name] = (version, table.get(name, ('', ()))[1])
        distributions = [
            SimpleNamespace(metadata={'Name': name}, version=version, requires=list(requires))
            for name, (version, requires) in table.items()
            if version is not None
        ]
        monkeypatch.setattr(importlib.metadata, 'distributions', lambda: [*distributions, *more])
        return read_distributions()

    return fake


def problems(findings):
    return [(finding.status, finding.subject) for finding in findings if finding.status != 'ok']


def test_a_sound_set_has_no_problem_although_mmcv_asks_for_the_other_opencv(install):
    installed = install()
    assert problems(check_versions(installed) + check_clashes(installed)) == []


@pytest.mark.parametrize(
    ('fork', 'rival'), [(fork, rival) for fork, (_, rivals) in FORKS.items() for rival in rivals]
)
def test_an_upstream_library_beside_the_fork_is_a_failure_that_names_both(install, fork, rival):
    findings = check_clashes(install({fork: '9.9', rival: '1.0'}))
    (clash,) = [finding for finding in findings if finding.subject.startswith('clash')]
    assert clash.status == 'fail'
    assert rival in clash.message
    assert fork in clash.message
    # Removing one removes files of both, so the fork has to come back.
    assert clash.advice.startswith(f'pip uninstall -y {rival} {fork} && ')
    assert f'--force-reinstall "{fork}' in clash.advice


def test_an_upstream_library_without_the_fork_is_a_failure_as_well(install):
    (clash,) = check_clashes(install({'onedl-mmcv': None, 'mmcv': '2.2.0'}))
    assert (clash.status, clash.subject) == ('fail', 'clash in mmcv')
    assert '"onedl-mmcv>=2.3.6,<2.4"' in clash.advice


@pytest.mark.parametrize('second', OPENCVS[1:])
def test_two_opencvs_are_a_failure_and_the_headless_one_shall_stay(install, second):
    findings = check_clashes(install({second: '4.12.0.88'}))
    assert problems(findings) == [('fail', '2 OpenCVs')]
    assert f'pip uninstall -y opencv-python-headless {second} ' in findings[0].advice
    assert '--force-reinstall "opencv-python-headless"' in findings[0].advice


def test_an_opencv_that_wants_libgl_is_a_warning(install):
    installed = install({'opencv-python-headless': None, 'opencv-python': '4.12.0.88'})
    assert problems(check_clashes(installed)) == [('warn', 'opencv')]


def test_no_opencv_at_all_is_missed_by_who_asks_for_it(install):
    (finding,) = check_clashes(install({'opencv-python-headless': None}))
    assert finding.status == 'warn'
    assert 'onedl-mmcv 2.3.6 asks for opencv-python-headless' in finding.message


def test_a_numpy_that_opencv_forbids_is_named_with_both_versions(install):
    installed = install({'numpy': '2.4.0'})
    (finding,) = check_clashes(installed)
    assert 'opencv-python-headless 4.12.0.88 asks for numpy' in finding.message
    assert 'numpy 2.4.0 is installed' in finding.message
    assert problems(check_versions(installed)) == [('warn', 'numpy')]


def test_two_versions_of_one_package_are_a_failure(install):
    stale = SimpleNamespace(metadata={'Name': 'NumPy'}, version='1.26.4', requires=None)
    (finding,) = check_clashes(install(more=[stale]))
    assert (finding.status, finding.subject) == ('fail', 'two versions')
    assert 'numpy is there as 2.2.6 and as 1.26.4' in finding.message


@pytest.mark.parametrize('version', [None, ''])
def test_a_folder_without_readable_metadata_is_a_failure_that_names_it(install, version):
    broken = SimpleNamespace(metadata={'Name': 'timm'}, version=version, requires=[])
    broken._path = '/somewhere/site-packages/timm-1.0.31.dist-info'
    installed = install(more=[broken])
    assert installed['timm'].version == UNREADABLE
    assert problems(check_clashes(installed)) == [('fail', 'half a package')]


def test_metadata_that_raise_are_reported_not_raised(install):
    class Broken:
        _path = '/somewhere/site-packages/einops-0.8.2.dist-info'

        @property
        def metadata(self):
            raise TypeError('initial_value must be str or None, not NoneType')

    assert problems(check_clashes(install(more=[Broken()]))) == [('fail', 'half a package')]


def test_a_missing_core_library_fails_and_a_missing_task_library_warns(install):
    changes = {'numpy': None, 'onedl-mmcv': None, 'onedl-mmsegmentation': None}
    found = problems(check_versions(install(changes)))
    expected = [('fail', 'numpy'), ('fail', 'onedl-mmcv'), ('warn', 'onedl-mmsegmentation')]
    assert found == expected


@pytest.mark.parametrize(('version', 'tried'), [('2.3.6', True), ('2.4.0', False), ('2.2', False)])
def test_a_version_outside_the_range_of_pyproject_is_a_warning(install, version, tried):
    expected = [] if tried else [('warn', 'onedl-mmcv')]
    assert problems(check_versions(install({'onedl-mmcv': version}))) == expected


def test_without_own_metadata_the_doctor_says_how_to_get_them(install):
    (finding,) = check_versions(install({'semcl_mm': None}))
    assert finding.status == 'warn'
    assert 'pip install --no-deps -e .' in finding.advice
