"""Cross-image pixel contrast (ICCV 2021), Table 2: the memories.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixel_contrast_table_2.py --slurm PARTITION
"""

paper = 'PixelContrast'
table = '2'
gpus = 'recipe'
starts = {'hrnet-w48': 'checkpoints/hrnetv2_w48_imagenet_pretrained.pth'}
