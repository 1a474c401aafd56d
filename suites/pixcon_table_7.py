"""PixCon (WACV 2024), Table 7: COCO and COCO+.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixcon_table_7.py --slurm PARTITION
"""

paper = 'PixCon-supp'
table = '7'
gpus = 'recipe'
