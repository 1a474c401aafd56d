"""What a command says about bad input."""

import os
import re
from pathlib import Path

import pytest
from torch.utils.data import DataLoader, Dataset

from semcl_mm.cli import user_errors
from semcl_mm.datasets.image_files import DataError

REPOSITORY = Path(__file__).resolve().parents[1]
TEXTS = [
    REPOSITORY / 'README.md',
    *REPOSITORY.glob('docs/*.md'),
    *REPOSITORY.glob('configs/**/*.py'),
]
# a line that begins with a tool, as in `tools/train.py CONFIG`
COMMAND = re.compile(r'^\s*`?(tools/\S+\.(?:py|sh)) ', re.MULTILINE)


class Damaged(Dataset):
    """Every item is a damaged file."""

    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 2

    def __getitem__(self, index):
        raise self.error


@pytest.mark.parametrize('kind', [DataError, ValueError, FileNotFoundError])
def test_an_error_of_a_loader_worker_is_one_line_without_its_traceback(kind, capsys):
    with pytest.raises(SystemExit) as stopped, user_errors():
        next(iter(DataLoader(Damaged(kind('a.jpg: truncated; restore it')), num_workers=1)))
    assert stopped.value.code == 1
    assert capsys.readouterr().err.splitlines()[0] == 'error: a.jpg: truncated; restore it'


def test_every_command_that_a_text_gives_without_python_is_executable():
    commands = {command for text in TEXTS for command in COMMAND.findall(text.read_text())}
    assert {'tools/train.py', 'tools/dataset_converters/build_pair_index.py'} <= commands
    for command in commands:
        path = REPOSITORY / command
        assert os.access(path, os.X_OK), command
        assert path.read_text().startswith('#!/usr/bin/env '), command
