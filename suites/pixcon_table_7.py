"""PixCon (WACV 2024), Table 7: COCO and COCO+.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixcon_table_7.py --slurm PARTITION
"""

paper = 'PixCon-supp'
table = '7'
gpus = 'recipe'
seeds = {  # as the caption says
    'voc0712': range(5),
    'coco': range(3),
    'cityscapes': range(3),
    'voc12aug': range(5),
    'ade20k': range(3),
}
