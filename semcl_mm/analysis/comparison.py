"""Whether one group of runs is better than another, over the same seeds."""

import math
import statistics
from collections.abc import Iterable, Sequence

from scipy.stats import ttest_rel

__all__ = ['against', 'compare']


def compare(records: Iterable[dict], first: str, second: str, metric: str) -> dict:
    """A paired comparison of two groups of finished runs.

    Args:
        records: Run records.
        first: Start of the names (work dirs) of group A.
        second: Start of the names of group B.
        metric: The metric to compare.

    Returns:
        ``seeds`` that both groups have, the two means, the mean ``difference`` A - B, its
        standard deviation ``std`` and the two-sided ``p`` of a paired t-test (None below two
        seeds or where all differences are equal).

    Raises:
        ValueError: a group has no finished run with that metric, two runs of one seed, or the
            groups share no seed.
    """
    records = list(records)
    a, b = (_by_seed(records, prefix, metric) for prefix in (first, second))
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        raise ValueError(f'{first!r} has seeds {sorted(a)} and {second!r} {sorted(b)}: none shared')
    values_a, values_b = [a[s] for s in seeds], [b[s] for s in seeds]
    differences = [x - y for x, y in zip(values_a, values_b, strict=True)]
    varied = len(set(differences)) > 1
    return {
        'metric': metric,
        'seeds': seeds,
        'mean_a': statistics.fmean(values_a),
        'mean_b': statistics.fmean(values_b),
        'difference': statistics.fmean(differences),
        'std': statistics.stdev(differences) if len(seeds) > 1 else None,
        'p': float(ttest_rel(values_a, values_b).pvalue) if varied else None,
    }


def against(
    records: Iterable[dict],
    baseline: str,
    arms: Sequence[str],
    metric: str,
    deviations: float = 2.0,
) -> tuple[str, bool]:
    """A table that says of each group of runs whether it clearly beats a baseline.

    It does where its mean over the seeds that both have is higher by more than ``deviations``
    standard deviations: the larger one of the two groups, so that neither a lucky baseline nor a
    shaky method decides.

    Args:
        records: Run records.
        baseline: Start of the names (work dirs) of the baseline's runs.
        arms: The same for each other group.
        metric: The metric to compare; more is better.
        deviations: How many standard deviations are clear.

    Returns:
        The table in markdown, and whether every group beats the baseline.

    Raises:
        ValueError: As :func:`compare`, or if a group shares less than two seeds with the baseline.
    """
    records = list(records)
    base = _by_seed(records, baseline, metric)
    lines = [
        f'| runs | n | {metric} | {baseline.rstrip("_")} | difference | in std | clearly better |',
        '| --- | --- | --- | --- | --- | --- | --- |',
    ]
    all_better = True
    for arm in arms:
        found = _by_seed(records, arm, metric)
        seeds = sorted(found.keys() & base.keys())
        if len(seeds) < 2:
            raise ValueError(f'{arm!r} and {baseline!r} share the seeds {seeds}: two are needed')
        groups = [[runs[seed] for seed in seeds] for runs in (found, base)]
        (mean, base_mean), stds = map(statistics.fmean, groups), [*map(statistics.stdev, groups)]
        difference, std = mean - base_mean, max(stds)
        ratio = difference / std if std else math.copysign(math.inf, difference)
        better = difference > 0 and ratio > deviations
        all_better &= better
        lines.append(
            f'| {arm.rstrip("_")} | {len(seeds)} | {mean:.2f} ± {stds[0]:.2f} '
            f'| {base_mean:.2f} ± {stds[1]:.2f} | {difference:+.2f} | {ratio:+.1f} '
            f'| {"yes" if better else "NO"} |'
        )
    return '\n'.join(lines), all_better


def _by_seed(records: Iterable[dict], prefix: str, metric: str) -> dict[int, float]:
    """The metric by seed; of a run that was tested again the newer number, as in the tables.

    Tests over scales and flips count where there is nothing else of that name.
    """
    chosen = [
        record
        for record in records
        if record['status'] == 'finished'
        and metric in record['metrics_final']
        and record['name'].startswith(prefix)
    ]
    plain = [record for record in chosen if not record.get('protocol')]
    found: dict[int, tuple[str, float]] = {}
    for record in sorted(plain or chosen, key=lambda r: r['started']):
        seed, run = record['seed'], record.get('tested_run', record['run_id'])
        if seed in found and found[seed][0] != run:
            raise ValueError(f'several runs named {prefix}… have seed {seed}: give a longer name')
        value = record['metrics_final'][metric]
        if math.isnan(value):
            raise ValueError(f'{metric} of {record["name"]} is NaN: nothing there defines it')
        found[seed] = run, value
    if not found:
        raise ValueError(f'no finished run named {prefix}… reports {metric!r}')
    return {seed: value for seed, (_, value) in found.items()}
