"""A detector's widths and numbers of regions for a CPU: merge ``small_…`` into the large one's."""

small_neck = dict(out_channels=64)
small_rpn_head = dict(
    in_channels=64, feat_channels=64, anchor_generator=dict(scales=[4])
)  # anchors of 16 to 256 pixels
small_bbox_roi_extractor = dict(out_channels=64)
small_bbox_head = dict(in_channels=64, fc_out_channels=256)
small_mask_branch = dict(
    mask_roi_extractor=dict(out_channels=64),
    mask_head=dict(num_convs=2, in_channels=64, conv_out_channels=64),
)
small_train_cfg = dict(rpn_proposal=dict(nms_pre=500, max_per_img=250))
small_sampler = dict(num=128)
small_test_cfg = dict(rpn=dict(nms_pre=300, max_per_img=200))
