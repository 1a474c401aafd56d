"""What pixel contrast is compared with: loops over images and classes, as the authors' code works.

Written from a description of that code, with its sampling, its number of passes over the bank and
its order of operations; where the original stores or reads the wrong pixels, this takes the right
ones, so that both sides of the comparison do the same work.
"""

from __future__ import annotations

import torch
from torch import Tensor


def anchors_by_loop(
    features: Tensor, labels: Tensor, predictions: Tensor, max_anchors: int, max_views: int
) -> tuple[Tensor, Tensor]:
    """Return anchors (pairs, views, D) of (B, N, D) features and their classes (pairs,)."""
    classes_of = []
    for image in range(len(features)):
        present = [c for c in labels[image].unique() if c != 255]
        classes_of.append(
            [c for c in present if (labels[image] == c).nonzero().shape[0] > max_views]
        )
    pairs = sum(len(classes) for classes in classes_of)
    views = min(max_anchors // pairs, max_views)
    anchors = features.new_zeros(pairs, views, features.shape[-1])
    anchor_labels = features.new_zeros(pairs)
    row = 0
    for image, classes in enumerate(classes_of):
        for label in classes:
            member = labels[image] == label
            hard = (member & (predictions[image] != label)).nonzero()[:, 0]
            easy = (member & (predictions[image] == label)).nonzero()[:, 0]
            if len(hard) >= views / 2 and len(easy) >= views / 2:
                num_hard = views // 2
            elif len(hard) >= views / 2:
                num_hard = views - len(easy)
            else:
                num_hard = len(hard)
            hard = hard[torch.randperm(len(hard), device=hard.device)[:num_hard]]
            easy = easy[torch.randperm(len(easy), device=easy.device)[: views - num_hard]]
            anchors[row] = features[image, torch.cat([hard, easy])]
            anchor_labels[row] = label
            row += 1
    return anchors, anchor_labels


def contrast_by_loop(
    anchors: Tensor, anchor_labels: Tensor, queues: list[Tensor] | None, temperature: float
) -> Tensor:
    """Return Eq. 3 for anchors (pairs, views, D), against queues (C, slots, D) or themselves."""
    views = anchors.shape[1]
    flat = torch.cat(anchors.unbind(dim=1), dim=0)
    labels = anchor_labels.repeat(views)[:, None]
    if queues is None:
        keys, key_labels = flat, labels
    else:
        queue = torch.cat(queues, dim=1)
        classes, slots, dim = queue.shape
        keys = queue.new_zeros(classes * slots, dim)
        key_labels = queue.new_zeros(classes * slots, 1)
        for label in range(classes):
            keys[label * slots : (label + 1) * slots] = queue[label]
            key_labels[label * slots : (label + 1) * slots] = label
    positive = torch.eq(labels, key_labels.T).float()
    logits = flat @ keys.T / temperature
    logits = logits - logits.max(dim=1, keepdim=True).values.detach()
    negative = 1 - positive
    if queues is None:
        positive = positive * (1 - torch.eye(len(flat), device=flat.device))
    rest = (torch.exp(logits) * negative).sum(dim=1, keepdim=True)
    log_probability = logits - torch.log(torch.exp(logits) + rest)
    return -((positive * log_probability).sum(dim=1) / positive.sum(dim=1)).mean()


def loss_by_loop(
    embeddings: Tensor,
    labels: Tensor,
    predictions: Tensor,
    queues: list[Tensor] | None,
    max_views: int,
    temperature: float = 0.1,
) -> Tensor:
    """Return the loss of (B, D, H, W) embeddings whose labels have the same resolution."""
    features = embeddings.permute(0, 2, 3, 1).contiguous().flatten(1, 2)
    anchors, anchor_labels = anchors_by_loop(
        features, labels.flatten(1), predictions.flatten(1), 1024, max_views
    )
    return contrast_by_loop(anchors, anchor_labels, queues, temperature)


class LoopBank:
    """Two queues per class, filled image by image and class by class."""

    def __init__(self, classes: int, slots: int, dim: int, device: str = 'cpu') -> None:
        shape = classes, slots, dim
        self.region = torch.nn.functional.normalize(torch.randn(shape, device=device), dim=2)
        self.pixel = torch.nn.functional.normalize(torch.randn(shape, device=device), dim=2)
        self.region_pointer = torch.zeros(classes, dtype=torch.long, device=device)
        self.pixel_pointer = torch.zeros(classes, dtype=torch.long, device=device)
        self.slots = slots

    @torch.no_grad()
    def update(self, embeddings: Tensor, labels: Tensor, pixels: int = 10) -> None:
        """Add a batch; labels at a multiple of the embeddings' resolution."""
        stride = labels.shape[1] // embeddings.shape[2]
        labels = labels[:, ::stride, ::stride]
        for image in range(len(embeddings)):
            feature = embeddings[image].flatten(1)
            label_map = labels[image].flatten()
            for label in label_map.unique():
                if label == 255:
                    continue
                members = (label_map == label).nonzero()[:, 0]
                mean = feature[:, members].mean(dim=1)
                pointer = int(self.region_pointer[label])
                self.region[label, pointer] = torch.nn.functional.normalize(mean, dim=0)
                self.region_pointer[label] = (pointer + 1) % self.slots
                order = torch.randperm(len(members), device=members.device)
                chosen = members[order[:pixels]]
                rows = torch.nn.functional.normalize(feature[:, chosen].T, dim=1)
                pointer = int(self.pixel_pointer[label])
                if pointer + len(rows) >= self.slots:
                    self.pixel[label, -len(rows) :] = rows
                    self.pixel_pointer[label] = 0
                else:
                    self.pixel[label, pointer : pointer + len(rows)] = rows
                    self.pixel_pointer[label] += len(rows)
