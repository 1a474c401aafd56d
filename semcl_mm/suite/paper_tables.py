"""Which runs of this tree fill a paper's table: found from what the configs say."""

import functools
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

from mmengine.config import Config

from semcl_mm.analysis.paper_cells import choose_cells, paper_cells, read_paper_numbers
from semcl_mm.suite import REPOSITORY
from semcl_mm.suite.description import Block, Suite
from semcl_mm.suite.reading import read_blocks
from semcl_mm.suite.values import require_keys

__all__ = ['PAPER_NUMBERS', 'paper_blocks']

PAPER_NUMBERS = REPOSITORY / 'configs' / 'paper_numbers.csv'
#: What a baseline may say about the row that it stands in.
_BASELINE_KEYS = ('variant', 'model', 'metric', 'start', 'also')
_PRETRAININGS = ('semcl', 'pixcon', 'cacl', 'local_global')
_DOWNSTREAM = ('segmentation', 'detection', 'depth', 'pixel_contrast')


def paper_blocks(suite: Suite) -> tuple[Block, ...]:
    """The runs that a paper's table asks for, as far as configs of this tree name its cells.

    A downstream config names cells (``paper_cell``). What it starts from is the pretraining config
    that the cell names (``models``), or else the one of that algorithm, backbone and data; of
    several the one whose name the others extend, as ``r50_voc`` of ``r50_voc_unpaired``.

    Raises:
        ValueError: no such table, no config that names a cell of it, several pretrainings of
            which none is the plain one, no ``starts`` where the paper has ImageNet weights, or an
            entry of ``starts``, ``baselines`` or ``seeds`` that none of the runs is meant by.
    """
    numbers = choose_cells(read_paper_numbers(PAPER_NUMBERS), suite.paper, suite.table)
    found: dict[tuple, bool] = {}
    needed = []
    for leaf in _leaves(_DOWNSTREAM):
        text = leaf.read_text()
        if 'paper_cell' not in text or repr(numbers[0]['paper']) not in text:
            continue
        for own in paper_cells(_parse(leaf).get('paper_cell') or {}):
            if not any(_same_place(own, cell) for cell in numbers):
                continue
            for start in _starts(leaf, own, numbers):
                given = _parse(start).get('expected_start') if start else own.get('start')
                if given == 'imagenet':
                    needed.append(start or leaf)
                key = leaf, start, own.get('protocol') is not None
                found[key] = True
    if not found:
        raise ValueError(
            f'{suite.file}: no config names a cell of {suite.paper} Table {suite.table}'
        )
    for name, mapping in (
        ('starts', suite.starts),
        ('baselines', suite.baselines),
        ('seeds', suite.task_seeds),
    ):
        _require_used(mapping, found, f'{suite.file}: {name}')
    for leaf in needed:
        _require_given(suite, leaf)
    blocks = [_block(suite, *key) for key in found]
    blocks += [
        block
        for leaf, tta in dict.fromkeys((leaf, tta) for leaf, _, tta in found)
        if (block := _baseline(suite, leaf, tta, numbers))
    ]
    where = f'{suite.file}: {suite.paper} Table {suite.table}'
    return read_blocks(blocks, where)


def _starts(leaf: Path, own: Mapping, numbers: Iterable[dict]) -> list[Path | None]:
    """The pretrainings that a cell asks for; None: it is no matter of pretraining."""
    if 'models' in own:
        models = {c['model'] for c in numbers if _same_place(own, c)}
        stems = [stem for stem, model in own['models'].items() if model in models]
        return [path for path in _leaves(_PRETRAININGS) if path.stem in stems]
    algorithm = own.get('pretraining')
    if algorithm is None and own.get('variant'):
        return [None]
    algorithms = {algorithm} if algorithm else {c['variant'] for c in numbers}
    fitting = []
    for path in _leaves(_PRETRAININGS):
        if path.stem.split('_')[0] not in leaf.stem.split('_'):
            continue
        cfg = _parse(path)
        data = own.get('pairs_of', own['dataset'])
        if cfg.model.type.__name__ in algorithms and cfg.get('pairs_of') in (None, data):
            fitting.append(path)
    plain = [p for p in fitting if all(o.stem.startswith(p.stem) for o in fitting)]
    if fitting and not plain:
        raise ValueError(
            f'{leaf.name}: several pretrainings fit its paper_cell: '
            f'{", ".join(p.stem for p in fitting)}; name one with paper_cell.models'
        )
    return plain[:1]


def _block(suite: Suite, leaf: Path, start: Path | None, tta: bool) -> dict:
    task = {'config': _name(leaf), 'tta': tta}
    checkpoints: dict[str, object] = {}
    where = f'{suite.file}: starts'
    if start is None:
        given = _given(suite.starts, leaf, where)
        checkpoints[Path(given).stem if given else 'random'] = given or 'random'
    else:
        entry = {'config': _name(start), 'seed': _seeds(suite, leaf)[0]}
        given = _given(suite.starts, start, where)
        if isinstance(given, str):
            checkpoints[f'{start.stem}-start'] = {'file': given, 'only_start': True}
            entry['start'] = f'{start.stem}-start'
        elif given:
            require_keys(given, ('options',), where)
            entry |= given
        checkpoints[start.stem] = entry
    return {'checkpoints': checkpoints, 'downstream': [task], 'seeds': _seeds(suite, leaf)}


def _require_given(suite: Suite, leaf: Path) -> None:
    given = _given(suite.starts, leaf, f'{suite.file}: starts')
    if isinstance(given, Mapping):
        given = given.get('options', {}).get('load_from')
    if not isinstance(given, str):
        raise ValueError(
            f"{suite.file}: starts: {leaf.stem} needs a file, since the paper's run began with "
            'ImageNet weights; give it by the name of the config or of its network'
        )


def _require_used(mapping: Mapping, found: Iterable[tuple], where: str) -> None:
    names = {path.stem for leaf, start, _ in found for path in (leaf, start) if path}
    names |= {part for name in names for part in name.split('_')}
    require_keys(mapping, sorted(names), where)


def _baseline(suite: Suite, leaf: Path, tta: bool, numbers: Iterable[dict]) -> dict | None:
    """The same task from other weights, which the paper prints as a row of its own."""
    where = f'{suite.file}: baselines'
    given = _given(suite.baselines, leaf, where)
    if given is None:
        return None
    require_keys(given, ('file', *_BASELINE_KEYS), where)
    for key in ('variant', 'model'):
        printed = sorted({number[key] for number in numbers})
        if key in given and given[key] not in printed:
            near = get_close_matches(given[key], printed, n=1) or printed
            raise ValueError(f'{where}: {key} {given[key]!r}: the table has {", ".join(near)}')
    options = {f'paper_cell.{key}': value for key, value in given.items() if key != 'file'}
    task = {'config': _name(leaf), 'tta': tta, 'options': options}
    checkpoints = {Path(given['file']).stem: given['file']}
    return {'checkpoints': checkpoints, 'downstream': [task], 'seeds': _seeds(suite, leaf)}


def _seeds(suite: Suite, leaf: Path) -> list[int]:
    return list(_given(suite.task_seeds, leaf, f'{suite.file}: seeds') or suite.seeds)


def _given(starts: Mapping, leaf: Path, where: str) -> object:
    """The entry of ``starts`` for a config: by its name, or by the backbone that its name holds."""
    known = [key for key in starts if key == leaf.stem or key in leaf.stem.split('_')]
    if len(known) > 1 and leaf.stem not in known:
        raise ValueError(f'{where}: {", ".join(known)} all fit {leaf.stem}')
    return starts[leaf.stem if leaf.stem in known else known[0]] if known else None


def _same_place(own: Mapping, cell: Mapping) -> bool:
    """Whether a number stands where a config says, whatever pretrained it."""
    metrics = own.get('metric')
    metrics = metrics if isinstance(metrics, (list, tuple)) else [metrics]
    keys = [key for key in ('paper', 'table', 'dataset', 'backbone') if own.get(key) != cell[key]]
    named = [k for k in ('model', 'split', 'variant') if own.get(k) and own[k] != cell[k]]
    return not keys and not named and cell['metric'] in metrics


def _leaves(families: Iterable[str]) -> list[Path]:
    return [p for f in families for p in sorted((REPOSITORY / 'configs' / f).glob('*.py'))]


def _name(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


@functools.cache
def _parse(path: Path) -> Config:
    return Config.fromfile(path)
