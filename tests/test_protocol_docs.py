"""docs/protocols.md lists every protocol, and only files that exist."""

import itertools
import re

import pytest


def expand(pattern: str) -> list[str]:
    """``a{b,c}d`` -> abd, acd, as a shell would."""
    parts = re.split(r'\{([^}]*)\}', pattern)
    choices = [part.split(',') if odd % 2 else [part] for odd, part in enumerate(parts)]
    return [''.join(chosen) for chosen in itertools.product(*choices)]


@pytest.fixture(scope='module')
def page(repository) -> str:
    return (repository / 'docs/protocols.md').read_text()


def test_every_file_that_the_page_names_exists(page, repository):
    names = re.findall(r'\b((?:segmentation|_base_|depth|detection|pixel_contrast)/\S+?\.py)', page)
    paths = [f'configs/{path}' for name in names for path in expand(name)]
    paths += re.findall(r'\b(?:configs|tools)/[\w./-]+\.py', page)
    assert len(paths) > 40
    for path in paths:
        assert list(repository.glob(path)), path


def test_every_segmentation_protocol_of_a_paper_is_on_the_page(page, repository):
    listed = {
        path
        for name in re.findall(r'\bsegmentation/\S+?\.py', page)
        for path in expand(f'configs/{name}')
    }
    for path in (repository / 'configs/segmentation').glob('*.py'):
        if 'paper_cell' in path.read_text():
            assert f'configs/segmentation/{path.name}' in listed
