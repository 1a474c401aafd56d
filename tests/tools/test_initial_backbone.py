"""tools/misc/initial_backbone.py: one random start for several runs, overrides included."""

import runpy

import pytest
import torch

CONFIG = 'configs/segmentation/linear_r18-narrow_camvid.py'


@pytest.fixture
def save(repository, monkeypatch, tmp_path):
    """A function of the words after CONFIG and OUT, that returns what OUT holds."""
    main = runpy.run_path(str(repository / 'tools/misc/initial_backbone.py'))['main']
    out = tmp_path / 'start.pth'

    def run(*words):
        monkeypatch.setattr('sys.argv', ['initial', str(repository / CONFIG), str(out), *words])
        main()
        saved = torch.load(out, weights_only=True)
        assert all(word in saved['meta']['source'] for word in words if '=' in word)
        return saved['state_dict']

    return run


def test_a_seed_is_a_start(save):
    first, again, other = save('--seed', '3'), save('--seed', '3'), save('--seed', '4')
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first['backbone.conv1.weight'], other['backbone.conv1.weight'])


def test_an_override_changes_only_what_it_names(save):
    zero = save()
    one = save('--cfg-options', 'model.backbone.zero_init_residual=False')
    changed = {key for key in zero if not torch.equal(zero[key], one[key])}
    assert changed == {key for key in zero if key.endswith('.bn2.weight')}
    assert all(torch.equal(one[key], torch.ones_like(one[key])) for key in changed)


def test_an_unknown_key_is_named(save, capsys):
    with pytest.raises(SystemExit):
        save('--cfg-options', 'model.backbone.zero_init_resid=False')
    assert 'zero_init_residual' in capsys.readouterr().err
