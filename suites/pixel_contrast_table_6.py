"""Cross-image pixel contrast (ICCV 2021), Table 6: PASCAL-Context.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixel_contrast_table_6.py --slurm PARTITION
"""

paper = 'PixelContrast'
table = '6'
gpus = 'recipe'
