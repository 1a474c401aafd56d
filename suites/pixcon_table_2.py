"""PixCon (WACV 2024), Table 2: segmentation.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixcon_table_2.py --slurm PARTITION
"""

paper = 'PixCon-supp'
table = '2'
gpus = 'recipe'
seeds = {'cityscapes': range(3), 'voc12aug': range(5)}  # as the paper (caption of Table 7)
