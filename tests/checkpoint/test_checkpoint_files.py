"""Reading never runs code, and says what is wrong; writing is all or nothing."""

import argparse
import json
import pathlib
import pickle

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer, MessageHub

from semcl_mm.checkpoint import UnreadableCheckpoint, UnsafeCheckpoint, load_file, save_checkpoint


class Malicious:
    """Unpickling this creates a file."""

    def __init__(self, victim: pathlib.Path) -> None:
        self.victim = victim

    def __reduce__(self):
        return pathlib.Path.touch, (self.victim,)


class CallsOpen:
    """The same through a builtin."""

    def __init__(self, victim: pathlib.Path) -> None:
        self.victim = victim

    def __reduce__(self):
        return open, (str(self.victim), 'w')


class Reaches:
    """``getattr`` itself is enough to leave a sandbox."""

    def __init__(self, owner: object, name: str) -> None:
        self.owner, self.name = owner, name

    def __reduce__(self):
        return getattr, (self.owner, self.name)


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('kind', [Malicious, CallsOpen])
def test_a_malicious_file_is_refused_by_name_and_does_nothing(kind, zipped, tmp_path, saved):
    victim = tmp_path / 'victim'
    content = {'state_dict': {'conv1.weight': torch.ones(1)}, 'args': kind(victim)}
    path = saved(content, _use_new_zipfile_serialization=zipped)
    with pytest.raises(UnsafeCheckpoint, match=r'(Path|open)[ ,].*--trust'):
        load_file(path)
    assert not victim.exists()


def test_a_raw_pickle_does_nothing_either(tmp_path):
    victim, path = tmp_path / 'victim', tmp_path / 'raw.pth'
    path.write_bytes(pickle.dumps(Malicious(victim)))
    with pytest.raises(ValueError, match=r'raw\.pth'):
        load_file(path)
    assert not victim.exists()


def test_only_trust_lets_a_file_run_code(tmp_path, saved):
    victim = tmp_path / 'victim'
    load_file(saved({'state_dict': {}, 'args': Malicious(victim)}), trust=True)
    assert victim.exists()


def test_attributes_cannot_be_reached(saved):
    for owner, name in ((dict, '__subclasses__'), (HistoryBuffer, '__init__')):
        with pytest.raises(UnsafeCheckpoint, match=r'builtins\.getattr.*nothing was run'):
            load_file(saved({'x': Reaches(owner, name)}))


def test_a_file_cannot_change_the_statistics_of_our_curves(saved):
    curve = HistoryBuffer([1.0, 3.0], [1, 1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(HistoryBuffer._statistics_methods, 'mean', HistoryBuffer.min)
        path = saved({'curve': curve})
    loaded = load_file(path)['curve']
    assert curve.statistics('mean') == loaded.statistics('mean') == 2


def test_what_moco_and_semcl_save_beside_the_weights_is_harmless(saved):
    content = {
        'epoch': 3,
        'arch': 'resnet50',
        'args': argparse.Namespace(lr=0.1, data=pathlib.Path('/data')),
        'best_acc1': np.float64(71.5),
        'moco_m': np.float32(0.99),
        'step': np.int64(7),
        'history': np.arange(3),
        'seen': {1, 2},
        'state_dict': {'module.base_encoder.conv1.weight': torch.ones(2)},
    }
    for zipped in (True, False):
        loaded = load_file(saved(content, 'x.pth.tar', _use_new_zipfile_serialization=zipped))
        assert loaded['best_acc1'] == 71.5
        assert loaded['args'].lr == 0.1
        assert loaded['history'].tolist() == [0, 1, 2]
        assert torch.equal(loaded['state_dict']['module.base_encoder.conv1.weight'], torch.ones(2))


def test_numpy_1_names_are_understood(tmp_path, saved):
    path = saved({'best': np.float64(0.5)}, _use_new_zipfile_serialization=False)
    old = path.read_bytes().replace(b'numpy._core.multiarray', b'numpy.core.multiarray')
    path.write_bytes(old)
    assert load_file(path)['best'] == 0.5


def test_an_mmengine_checkpoint_with_its_curves_loads(saved):
    hub = MessageHub.get_instance('checkpoint test')
    hub.update_scalar('train/loss', 0.5)
    hub.update_info('iter', 4)
    content = {
        'state_dict': {'backbone.conv1.weight': torch.ones(2)},
        'message_hub': hub.state_dict(),
        'meta': {'cfg': 'model = 1', 'settings': ConfigDict(lr=0.1)},
    }
    loaded = load_file(saved(content))
    curve = loaded['message_hub']['log_scalars']['train/loss']
    assert type(curve) is HistoryBuffer
    curve.update(1.5)
    assert curve.statistics('mean') == 1.0
    assert loaded['meta']['settings'] == {'lr': 0.1}
    assert loaded['state_dict']['backbone.conv1.weight'].shape == (2,)


@pytest.mark.parametrize('keep', [0, 10, 3000])
@pytest.mark.parametrize('zipped', [True, False])
def test_a_truncated_file_is_named(keep, zipped, saved):
    path = saved({'w': torch.randn(1000)}, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UnreadableCheckpoint, match=r'weights\.pth is (empty|truncated)'):
        load_file(path)


def test_what_is_no_checkpoint_is_named(tmp_path, saved):
    text = tmp_path / 'notes.pth'
    text.write_text('not weights\n' * 50)
    tensors = tmp_path / 'x.safetensors'
    tensors.write_bytes(b'\x08\x00\x00\x00\x00\x00\x00\x00nonsense')
    for path, reason in (
        (text, 'notes.pth is truncated or not a checkpoint'),
        (tensors, 'no safetensors file'),
        (tmp_path, 'is a folder'),
        (saved([1, 2]), 'holds a list'),
    ):
        with pytest.raises(UnreadableCheckpoint, match=reason):
            load_file(path)
    with pytest.raises(FileNotFoundError, match=r'missing\.pth'):
        load_file(tmp_path / 'missing.pth')


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_a_saved_checkpoint_comes_back_with_its_meta(suffix, tmp_path):
    shared = torch.randn(4, 3)
    content = {
        'state_dict': {'backbone.a': shared, 'backbone.b': shared.T},
        'meta': {'source_format': 'plain:swin/timm', 'tensors': 2},
    }
    path = save_checkpoint(content, tmp_path / 'new' / f'x.{suffix}')
    loaded = load_file(path)
    assert loaded['meta'] == content['meta']
    assert torch.equal(loaded['state_dict']['backbone.b'], shared.T)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_equal_content_is_equal_bytes(tmp_path, suffix):
    """Twenty of them: two could be equal by chance."""
    content = {'state_dict': {'a': torch.ones(3), 'b': torch.eye(2)}, 'meta': {'source': 'ü "x"\n'}}
    paths = [save_checkpoint(content, tmp_path / f'{name}.{suffix}') for name in range(20)]
    assert len({path.read_bytes() for path in paths}) == 1
    found = load_file(paths[0])
    assert found['meta'] == content['meta']
    assert all(torch.equal(found['state_dict'][key], content['state_dict'][key]) for key in 'ab')


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_a_write_that_fails_leaves_the_old_file(suffix, tmp_path):
    path = save_checkpoint({'state_dict': {'a': torch.ones(1)}}, tmp_path / f'x.{suffix}')
    before = path.read_bytes()
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        save_checkpoint({'state_dict': {'a': lambda: 0}}, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_safetensors_of_other_programs_load(tmp_path):
    from safetensors.torch import save_file

    save_file({'conv1.weight': torch.ones(2)}, tmp_path / 'x.safetensors')
    loaded = load_file(tmp_path / 'x.safetensors')
    assert loaded['meta'] == {}
    assert json.dumps(list(loaded['state_dict'])) == '["conv1.weight"]'
