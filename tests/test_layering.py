"""Imports point one way, and no code of a training step waits for the device."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

OPENMMLAB = {'mmengine', 'mmcv', 'mmpretrain', 'mmseg', 'mmdet'}
TORCH_ONLY = ('losses', 'memory', 'distributed')
TRAINING_STEP = ('losses', 'memory', 'models')
# What a layer may not import; a memory gathers and normalises, so it knows the other two.
FORBIDDEN = {
    'losses': ('memory', 'distributed', 'models', 'downstream'),
    'distributed': ('losses', 'memory', 'models', 'downstream'),
    'memory': ('models', 'downstream'),
    'models': ('downstream',),
}


def sources(package: Path, name: str) -> list[Path]:
    """The files of a module or subpackage of semcl_mm."""
    found = [*(package / name).rglob('*.py'), *package.glob(f'{name}.py')]
    assert found, f'semcl_mm.{name} is gone: this test has to follow'
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """The dotted names that a file imports, at any depth of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def device_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines that move to a fixed device or make the host wait for it: ``.cuda()``, ``.item()``."""
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in ('cuda', 'item'):
            yield node.lineno, called.attr


@pytest.fixture(scope='module')
def package(repository) -> Path:
    return repository / 'semcl_mm'


def test_losses_memory_and_distributed_load_no_openmmlab_library():
    names = ', '.join(f'semcl_mm.{name}' for name in TORCH_ONLY)
    code = f'import sys, {names}; print(*{{name.split(".")[0] for name in sys.modules}})'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert 'torch' in loaded
    assert not loaded & OPENMMLAB


@pytest.mark.parametrize('name', TORCH_ONLY)
def test_no_torch_only_file_imports_an_openmmlab_library_even_within_a_function(package, name):
    for path in sources(package, name):
        tops = {module.split('.')[0] for module in imported(ast.parse(path.read_text()))}
        assert not tops & OPENMMLAB, path


@pytest.mark.parametrize('name', TRAINING_STEP)
def test_no_code_of_a_training_step_calls_cuda_or_item(package, name):
    for path in sources(package, name):
        calls = list(device_calls(ast.parse(path.read_text())))
        assert not calls, f'{path}: {calls}'


def test_losses_and_memory_know_nothing_of_ranks(package):
    for path in sources(package, 'losses') + sources(package, 'memory'):
        modules = set(imported(ast.parse(path.read_text())))
        assert not {m for m in modules if m.startswith('torch.distributed')}, path


def test_only_the_downstream_part_imports_segmentation_and_detection(package):
    for path in package.rglob('*.py'):
        if path.is_relative_to(package / 'downstream') or path.is_relative_to(package / 'doctor'):
            continue
        tops = {module.split('.')[0] for module in imported(ast.parse(path.read_text()))}
        assert not tops & {'mmseg', 'mmdet'}, path


@pytest.mark.parametrize('layer', FORBIDDEN)
def test_no_layer_imports_one_above_it(package, layer):
    forbidden = tuple(f'semcl_mm.{name}' for name in FORBIDDEN[layer])
    for path in sources(package, layer):
        for module in imported(ast.parse(path.read_text())):
            wrong = [name for name in forbidden if f'{module}.'.startswith(f'{name}.')]
            assert not wrong, f'{path} imports {module}'


@pytest.mark.parametrize(
    ('code', 'calls'),
    [
        ('loss = losses.mean().item()', [(1, 'item')]),
        ('x = 1\nmodel.cuda()', [(2, 'cuda')]),
        ('item = torch.cuda.is_available()', []),
        ('for item in records.items(): pass', []),
    ],
)
def test_the_scan_for_device_calls_finds_them_and_nothing_else(code, calls):
    assert list(device_calls(ast.parse(code))) == calls


def test_the_scan_for_imports_sees_nested_and_partial_ones():
    code = 'import a.b\ndef f():\n    from c import d\nfrom .e import g\n'
    assert set(imported(ast.parse(code))) == {'a.b', 'c', 'c.d'}
