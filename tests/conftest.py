"""Shared fixtures and the switches of the suite."""

import os
from pathlib import Path

import pytest

os.environ.setdefault('OMP_NUM_THREADS', '2')
REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption('--slow', action='store_true', help='run the tests marked slow as well')
    parser.addoption(
        '--gpu', action='store_true', help='run the tests marked gpu; without it GPUs are hidden'
    )


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption('--gpu'):  # several CPU processes, and bits that do not depend on a GPU
        os.environ['CUDA_VISIBLE_DEVICES'] = ''


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    import torch

    for item in items:
        if 'slow' in item.keywords and not config.getoption('--slow'):
            item.add_marker(pytest.mark.skip(reason='slow: run with --slow'))
        if 'gpu' in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason='needs a CUDA device: run with --gpu -m gpu'))


@pytest.fixture(scope='session')
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope='session')
def real_data() -> Path:
    """A folder of small real samples, where one is at hand (``SEMCL_REAL_DATA``)."""
    folder = Path(os.environ.get('SEMCL_REAL_DATA', REPOSITORY.parent / 'shared' / 'data'))
    if not folder.is_dir():
        pytest.skip('no real samples here: set SEMCL_REAL_DATA')
    return folder


@pytest.fixture(scope='session')
def toy_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny toy world, 24 scenes (18 train, 6 val) and 2 clips of 96 x 72. Do not write to it."""
    from semcl_mm.datasets.toy import make_toy_world

    folder = tmp_path_factory.mktemp('data') / 'toy'
    make_toy_world(folder, scenes=24, clips=2, frames=10, size=(96, 72), workers=1)
    return folder
