"""How CACL's tables call the pretrainings of this tree: what the linear protocol's runs are besides "CACL"."""

_r18_rows = {
    ('1a', 'pix'): 'r18_k400_pixel',
    ('1a', 'glo'): 'r18_k400_global',
    ('1a', 'glo+cyc'): 'r18_k400_global-cycle',
    ('1a', 'pix+glo'): 'r18_k400_global-pixel',
    ('1a', 'pix+glo+cyc'): 'r18_k400',
    ('1b', 'only-augmentation@stride0'): 'r18_k400_augmentation',
    ('1b', 'cross-frames@stride2'): 'r18_k400_position-s2',
    ('1b', 'cross-frames@stride4'): 'r18_k400_position-s4',
    ('1b', 'cross-frames@stride8'): 'r18_k400_position-s8',
    ('1b', 'by-global-head@stride4'): 'r18_k400_global-pixel-s4',
    ('1b', 'by-global-head@stride8'): 'r18_k400_global-pixel',
    ('1b', '+cycle@stride4'): 'r18_k400_s4',
    ('1b', '+cycle@stride8'): 'r18_k400',
    ('1c', 'simple'): 'r18_k400_simple',
    ('1c', '+pixel-shuffle'): 'r18_k400_hard-cycle',
    ('1c', '+soft-cycle'): 'r18_k400',
}
_r50_rows = {
    ('1a', 'glo'): 'r50_k400_global',
    ('1a', 'pix+glo'): 'r50_k400_global-pixel',
    ('1a', 'pix+glo+cyc'): 'r50_k400',
    ('1c', 'simple'): 'r50_k400_simple',
    ('1c', '+pixel-shuffle'): 'r50_k400_hard-cycle',
    ('1c', '+soft-cycle'): 'r50_k400',
}
# Tables 2 and 3: the rows of the paper's own runs, which print mAcc as well.
cacl_r18_methods = [
    dict(metric='mAcc'),
    dict(
        metric=['mIoU', 'mAcc'], model='R18 2heads', models={'r18_k400_global-pixel': 'R18 2heads'}
    ),
    dict(metric=['mIoU', 'mAcc'], model='R18 MoCo-v2', models={'r18_k400_global': 'R18 MoCo-v2'}),
]
cacl_r50_methods = [
    dict(metric='mAcc'),
    dict(
        metric=['mIoU', 'mAcc'], model='R50 2heads', models={'r50_k400_global-pixel': 'R50 2heads'}
    ),
    dict(metric=['mIoU', 'mAcc'], model='R50 MoCo-v2', models={'r50_k400_global': 'R50 MoCo-v2'}),
]
cacl_r18_ablations = [
    dict(table=table, variant=variant, model='R18', models={stem: 'R18'})
    for (table, variant), stem in _r18_rows.items()
]
cacl_r50_ablations = [
    dict(table=table, variant=variant, model='R50', models={stem: 'R50'})
    for (table, variant), stem in _r50_rows.items()
]
