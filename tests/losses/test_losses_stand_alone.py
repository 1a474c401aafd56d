"""Losses are plain PyTorch; the registry learns of them elsewhere."""

import subprocess
import sys

import pytest
import torch

from semcl_mm.losses.arguments import check_shapes


def test_importing_the_losses_loads_no_openmmlab_package():
    code = (
        'import sys, semcl_mm.losses, semcl_mm.distributed\n'
        "print([m for m in sys.modules if m.split('.')[0] in "
        "('mmengine', 'mmcv', 'mmpretrain', 'mmseg', 'mmdet')])"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'


def test_every_module_is_registered_under_its_name():
    pytest.importorskip('mmengine')
    import semcl_mm.models
    from semcl_mm.registry import MODELS

    names = [name for name in semcl_mm.losses.__all__ if name.endswith('Loss')]
    assert len(names) == 9
    for name in names:
        assert MODELS.get(f'semcl_mm.{name}') is getattr(semcl_mm.losses, name)
    built = MODELS.build({'type': 'PairedInfoNCELoss', 'pairing': 'triangular'})
    assert isinstance(built, semcl_mm.losses.PairedInfoNCELoss)


def test_shapes_bind_letters_from_left_to_right():
    x = torch.zeros(2, 1, 3)
    assert check_shapes(a=(x, 'N 1 C'), b=(None, 'K'), c=(x[0], '1 C')) == {'N': 2, 'C': 3}
    with pytest.raises(ValueError, match=r'b must be \(C, C\) with C=3, got \(3, 4\)'):
        check_shapes(a=(x, 'N 1 C'), b=(torch.zeros(3, 4), 'C C'))
    with pytest.raises(ValueError, match=r'a must be \(L, L\), got \(3, 4\)'):
        check_shapes(a=(torch.zeros(3, 4), 'L L'))
