"""Whether one group of runs is better than another, over the same seeds."""

import statistics
from collections.abc import Iterable

from scipy.stats import ttest_rel

__all__ = ['compare']


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


def _by_seed(records: Iterable[dict], prefix: str, metric: str) -> dict[int, float]:
    found: dict[int, float] = {}
    for record in records:
        if record['status'] != 'finished' or metric not in record['metrics_final']:
            continue
        if not record['name'].startswith(prefix):
            continue
        if record['seed'] in found:
            raise ValueError(
                f'several runs named {prefix}… have seed {record["seed"]}: give a longer name'
            )
        found[record['seed']] = record['metrics_final'][metric]
    if not found:
        raise ValueError(f'no finished run named {prefix}… reports {metric!r}')
    return found
