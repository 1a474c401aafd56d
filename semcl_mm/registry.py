"""Child registries of MMEngine's, scope ``semcl_mm``.

``locations`` tells each registry where its classes live, so that a string ``type`` in a config
imports them on demand: no ``custom_imports`` and no ``register_all_modules`` call is needed.
"""

from mmengine.registry import DATA_SAMPLERS as _DATA_SAMPLERS
from mmengine.registry import DATASETS as _DATASETS
from mmengine.registry import HOOKS as _HOOKS
from mmengine.registry import METRICS as _METRICS
from mmengine.registry import MODELS as _MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as _OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import OPTIMIZERS as _OPTIMIZERS
from mmengine.registry import PARAM_SCHEDULERS as _PARAM_SCHEDULERS
from mmengine.registry import RUNNERS as _RUNNERS
from mmengine.registry import TRANSFORMS as _TRANSFORMS
from mmengine.registry import Registry

__all__ = [
    'DATASETS',
    'DATA_SAMPLERS',
    'HOOKS',
    'METRICS',
    'MODELS',
    'OPTIMIZERS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
    'PARAM_SCHEDULERS',
    'RUNNERS',
    'TRANSFORMS',
]

_MODEL_LOCATIONS = ['semcl_mm.models', 'semcl_mm.losses', 'semcl_mm.downstream']
_DATA_LOCATIONS = ['semcl_mm.datasets', 'semcl_mm.downstream']


def _child(name: str, parent: Registry, locations: list[str]) -> Registry:
    return Registry(name, parent=parent, scope='semcl_mm', locations=locations)


MODELS = _child('model', _MODELS, _MODEL_LOCATIONS)
DATASETS = _child('dataset', _DATASETS, _DATA_LOCATIONS)
TRANSFORMS = _child('transform', _TRANSFORMS, _DATA_LOCATIONS)
DATA_SAMPLERS = _child('data sampler', _DATA_SAMPLERS, ['semcl_mm.datasets'])
METRICS = _child('metric', _METRICS, ['semcl_mm.downstream'])
HOOKS = _child('hook', _HOOKS, ['semcl_mm.engine'])
RUNNERS = _child('runner', _RUNNERS, ['semcl_mm.engine'])
OPTIMIZERS = _child('optimizer', _OPTIMIZERS, ['semcl_mm.engine'])
OPTIM_WRAPPER_CONSTRUCTORS = _child(
    'optimizer wrapper constructor',
    _OPTIM_WRAPPER_CONSTRUCTORS,
    ['semcl_mm.engine', 'semcl_mm.downstream'],
)
PARAM_SCHEDULERS = _child('parameter scheduler', _PARAM_SCHEDULERS, ['semcl_mm.engine'])
