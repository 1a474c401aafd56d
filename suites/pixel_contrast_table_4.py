"""Cross-image pixel contrast (ICCV 2021), Table 4: Cityscapes val.

What runs is found from the configs that name its cells.
    tools/suite.py suites/pixel_contrast_table_4.py --slurm PARTITION
"""

paper = 'PixelContrast'
table = '4'
gpus = 'recipe'
starts = {
    'deeplabv3-r101': 'checkpoints/resnet101_imagenet.pth',
    'hrnet-w48': 'checkpoints/hrnetv2_w48_imagenet_pretrained.pth',
    'ocr-r101': 'checkpoints/resnet101_imagenet.pth',
    'ocr-hrnet-w48': 'checkpoints/hrnetv2_w48_imagenet_pretrained.pth',
}
