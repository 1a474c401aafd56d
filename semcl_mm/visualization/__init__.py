"""Pictures of what was learnt. Each ``draw_*`` returns a matplotlib figure; nothing is shown.

A command of ``tools/visualization/`` is its options around one of these functions;
``semcl_mm.analysis.pictures`` writes a figure or makes it part of an HTML page.
"""

from .attention import class_attention, draw_attention, score_cam
from .backbones import RANDOM, ShownBackbone, open_backbones
from .matches import draw_alike, draw_matches, open_views
from .photos import choose_photos
from .principal import ColourProjection, draw_principal, fit_colours

__all__ = [
    'RANDOM',
    'ColourProjection',
    'ShownBackbone',
    'choose_photos',
    'class_attention',
    'draw_alike',
    'draw_attention',
    'draw_matches',
    'draw_principal',
    'fit_colours',
    'open_backbones',
    'open_views',
    'score_cam',
]
