"""The toy world leaves room: random features read linearly do far worse than a trained net."""

import importlib.util

import pytest

from semcl_mm.datasets.toy import make_toy_world


@pytest.mark.slow
def test_a_trained_net_beats_a_probe_on_random_features_by_far(repository, tmp_path):
    spec = importlib.util.spec_from_file_location(
        'toy_difficulty', repository / 'tools/benchmarks/toy_difficulty.py'
    )
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    make_toy_world(tmp_path / 'toy', clips=0)
    report = benchmark.compare(tmp_path / 'toy', steps=400, seed=0)
    assert report['linear_probe'] > 1.2 * report['all_background']
    assert report['trained_net'] > 2 * report['linear_probe']
    assert report['trained_net'] < 80
