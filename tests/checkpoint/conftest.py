"""Inputs and files for the tests of the checkpoint bridge."""

import pytest
import torch


@pytest.fixture
def images():
    """Gives (2, 3, size, size) noise."""

    def make(size: int = 64) -> torch.Tensor:
        return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(7))

    return make


@pytest.fixture
def saved(tmp_path):
    """Saves an object and gives its path."""

    def save(content, name: str = 'weights.pth', **kwargs):
        path = tmp_path / name
        torch.save(content, path, **kwargs)
        return path

    return save
