"""Check command-line overrides against a config before anything is built.

MMEngine merges any key into a config, and a misspelt one at the top is never looked at again.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config
from mmengine.hooks import CheckpointHook, Hook
from mmengine.model import BaseModule
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, LogProcessor
from mmengine.runner import Runner as BaseRunner
from mmengine.visualization import Visualizer
from torch import nn
from torch.utils.data import DataLoader

__all__ = ['check_overrides', 'check_top_level']

# keys that the runner reads from the config beside its own arguments
_RUNNER_KEYS = {
    'activation_checkpointing',
    'channels_last',
    'compile',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'pretrained',
    'runner_type',
    'sync_bn',
    'trust_checkpoint',
}
_LOADER_KEYS = {
    'batch_sampler',
    'collate_fn',
    'dataset',
    'disable_subprocess_warning',
    'num_batch_per_epoch',
    'sampler',
    'worker_init_fn',
}
_PARAMWISE_KEYS = {
    'bias_decay_mult',
    'bias_lr_mult',
    'bypass_duplicate',
    'custom_keys',
    'dcn_offset_lr_mult',
    'decay_rate',
    'dwconv_decay_mult',
    'flat_decay_mult',
    'layer_decay_rate',
    'norm_decay_mult',
    'num_layers',
}
# parts of a config file whose keys are checked, down to the arguments of the classes in them
_CHECKED = {
    *(f'{split}_{part}' for split in ('train', 'val', 'test') for part in ('cfg', 'dataloader')),
    *('auto_scale_lr', 'custom_hooks', 'default_hooks', 'env_cfg', 'log_processor'),
    *('optim_wrapper', 'param_scheduler', 'pretrained', 'randomness'),
    *('val_evaluator', 'test_evaluator', 'visualizer'),
}
_DEFAULT_HOOKS = {
    *('checkpoint', 'logger', 'param_scheduler', 'runtime_info', 'sampler_seed', 'timer'),
    'visualization',
}
_NEW_HOOK = re.compile(r'default_hooks\.[^.]+\.type')
# any key may be added to these
_OPEN = {
    'act_cfg',
    'compile',
    'conv_cfg',
    'custom_keys',
    'data_prefix',
    'dist_cfg',
    'init_cfg',
    'metainfo',
    'model_wrapper_cfg',
    'norm_cfg',
}


def check_overrides(cfg: Config | Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Stop at an override of a key that neither the config nor what reads it knows.

    A key may be new where its place has a use for it: an argument of the class that ``type``
    names (``optim_wrapper.clip_grad``), of the runner or of the data loader, and anything under
    places that are open by nature (``custom_keys``, ``init_cfg``…).

    Args:
        cfg: The config.
        options: Dotted keys and values, as ``--cfg-options`` gives them. A list's entry is
            addressed by its number.

    Raises:
        ValueError: The key is unknown, with what it may have been meant to be.
    """
    entries = cfg._cfg_dict if isinstance(cfg, Config) else cfg
    hooks = {key.split('.')[1] for key in options if _NEW_HOOK.fullmatch(key)}
    for dotted in options:
        parts = dotted.split('.')
        if parts[0] != 'default_hooks' or len(parts) == 1 or parts[1] not in hooks:
            _check(entries, dotted)


def check_top_level(cfg: Mapping[str, Any], filename: str) -> None:
    """Stop at a key of a config file that nothing reads.

    A config may hold variables of its own (``data_root``, ``num_classes``), so an unknown name is
    no error; ``optim_wraper`` beside a missing or inherited ``optim_wrapper`` is one. Below the
    runner's own keys there is no such freedom: each must be known to the class or the part of
    MMEngine that gets it. (Models say it themselves when they are built.)

    Raises:
        ValueError: The key, and what it may have been meant to be.
    """
    known = _known_keys({}, [])
    for name, value in cfg.items():
        if name in known or inspect.isclass(value) or inspect.isroutine(value):
            continue
        if close := get_close_matches(name, known, n=1, cutoff=0.85):
            raise ValueError(f'{filename}: nothing reads {name!r}; is it meant to be {close[0]!r}?')
    for name in _CHECKED & set(cfg):
        _check_below(cfg[name], [name], filename)


def _check_below(node: Any, path: list[str], filename: str) -> None:
    if isinstance(node, Mapping):
        known = _known_keys(node, path)
        for key in sorted(set(node) - known) if known else ():
            place = '.'.join(path)
            close = get_close_matches(key, known, n=1)
            meant = f'; is it meant to be {close[0]!r}?' if close else f'; {place} has no such key'
            raise ValueError(f'{filename}: nothing reads {place}.{key}{meant}')
        for key, value in node.items():
            _check_below(value, [*path, str(key)], filename)
    elif isinstance(node, (list, tuple)):
        for number, value in enumerate(node):
            _check_below(value, [*path, str(number)], filename)


def _check(cfg: Mapping[str, Any], dotted: str) -> None:
    node: Any = cfg
    parts = dotted.split('.')
    for depth, part in enumerate(parts):
        place = '.'.join(parts[:depth])
        if isinstance(node, Mapping):
            if part in node:
                node = node[part]
                continue
            known = _known_keys(node, parts[:depth])
            if known is None or part in known:
                return
            raise ValueError(_unknown(dotted, part, place, sorted({*node, *known})))
        if isinstance(node, Sequence) and not isinstance(node, str):
            if not part.isdigit() or int(part) >= len(node):
                raise ValueError(
                    f'--cfg-options {dotted}: {place} is a list of {len(node)}; its entries are '
                    f'0…{len(node) - 1}, not {part!r}'
                )
            node = node[int(part)]
            continue
        raise ValueError(
            f'--cfg-options {dotted}: {place} is {node!r} in the config, which has no keys; '
            f'set {place} as a whole'
        )


def _unknown(dotted: str, part: str, place: str, known: list[str]) -> str:
    visible = [key for key in known if not key.startswith('_')]
    close = get_close_matches(part, visible, n=3)
    where = place or 'the config'
    if close:
        return (
            f'--cfg-options {dotted}: {where} has no key {part!r}; did you mean {", ".join(close)}?'
        )
    return f'--cfg-options {dotted}: {where} has no key {part!r}; it has {", ".join(visible)}'


def _known_keys(node: Mapping[str, Any], path: list[str]) -> set[str] | None:
    """Keys that may be added to a dict of the config; None: any."""
    if not path:
        return _RUNNER_KEYS | _arguments(BaseRunner) - {'cfg'}
    name = path[-1]
    if name in _OPEN:
        return None
    kind = node.get('type')
    if isinstance(kind, str):
        return None  # resolved by a registry, whose class checks its arguments itself
    top = len(path) == 1
    if top and name.endswith('_dataloader'):
        return _LOADER_KEYS | _arguments(DataLoader)
    if name == 'optim_wrapper':
        own = {'type', 'constructor', 'optimizer', 'paramwise_cfg'}
        return _or_any(_arguments(kind or OptimWrapper), own)
    if kind is not None:
        own = {'type'}
        if inspect.isclass(kind) and issubclass(kind, Hook):
            own.add('priority')
        if inspect.isclass(kind) and issubclass(kind, CheckpointHook):
            # what else it takes goes to the runner's save_checkpoint, which fails at the first save
            return own | set(inspect.signature(CheckpointHook).parameters) - {'kwargs'}
        return _or_any(_arguments(kind), own)
    if top and name == 'default_hooks':
        return _DEFAULT_HOOKS | {key for key, hook in node.items() if _is_typed(hook)}
    if top and name == 'train_cfg':
        loops = _arguments(IterBasedTrainLoop) | _arguments(EpochBasedTrainLoop)
        return {'type', 'by_epoch', *loops} - {'runner', 'dataloader'}
    fixed = {
        'auto_scale_lr': {'enable', 'base_batch_size'},
        'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
        'log_processor': _arguments(LogProcessor) | {'type'},
        'mp_cfg': {'mp_start_method', 'opencv_num_threads'},
        'paramwise_cfg': _PARAMWISE_KEYS,
        'pretrained': {'checkpoint', 'allow_partial', 'trust'},
        'randomness': {'seed', 'diff_rank_seed', 'deterministic'},
        'val_cfg': {'type', 'fp16'},
        'test_cfg': {'type', 'fp16'},
        'visualizer': _arguments(Visualizer) | {'type'},
    }
    if name in fixed and (top or name in ('paramwise_cfg', 'mp_cfg')):
        return fixed[name]
    return set()


def _is_typed(node: Any) -> bool:
    return isinstance(node, Mapping) and 'type' in node


def _or_any(arguments: set[str] | None, own: set[str]) -> set[str] | None:
    return None if arguments is None else arguments | own


def _arguments(kind: Callable) -> set[str] | None:
    """Names that a class or function takes, through its bases; None where it takes any.

    ``**kwargs`` goes to the next base that names its arguments. Where that is a root which takes
    next to none, the class has another use for it (``TimmBackbone`` hands it to timm).
    """
    if not inspect.isclass(kind):
        callables = [kind]
    else:
        callables = [cls.__init__ for cls in kind.__mro__ if '__init__' in vars(cls)]
    roots = {object.__init__, nn.Module.__init__, BaseModule.__init__}
    names: set[str] = set()
    for function in callables:
        if function in roots and function is not callables[0]:
            return None
        parameters = inspect.signature(function).parameters.values()
        names |= {
            parameter.name
            for parameter in parameters
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        }
        if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters):
            return names - {'self'}
    return None
