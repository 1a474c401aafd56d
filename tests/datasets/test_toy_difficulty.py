"""The toy world leaves room: random features read linearly do far worse than a trained net."""

import json
import subprocess
import sys

import pytest

from semcl_mm.datasets.toy import make_toy_world


@pytest.mark.slow
def test_a_trained_net_beats_a_probe_on_random_features_by_far(repository, tmp_path):
    make_toy_world(tmp_path / 'toy', clips=0)
    script = repository / 'tools/benchmarks/toy_difficulty.py'
    command = [sys.executable, script, '--data', tmp_path / 'toy', '--steps', '400']
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    report = json.loads(output.splitlines()[-1])
    assert report['linear_probe'] > 1.2 * report['all_background']
    assert report['trained_net'] > 2 * report['linear_probe']
    assert report['trained_net'] < 80
