"""BIECON: learns local full-reference scores of patches first, then opinion from their mean features."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.base import Method, QualityNetwork
from sdsiqa.models.components.heads import RegressionHead
from sdsiqa.models.components.initial import for_relu
from sdsiqa.models.components.preprocessing import cut_patches, luma, normalise_locally
from sdsiqa.models.components.similarity_maps import ssim_map
from sdsiqa.models.objective import Crops, Objective
from sdsiqa.runs.ranges import check_shares

PATCH = 32
"""Side of a patch in pixels."""
KEPT = 0.8
"""Share of an image's patches that are looked at: those whose grey values deviate most."""


class PatchFeatures(nn.Module):
    """Features of the patches of an image that say most.

    Args:
        width: Units of the four hidden layers.
        dropout: Share of the units of the first three that are dropped in training.

    Raises:
        ValueError: `width` or `dropout` is out of range.
    """

    def __init__(self, width: tuple[int, int, int, int] = (1024, 512, 256, 128), dropout: float = 0.5) -> None:
        super().__init__()
        line = torch.tensor([1.0, 4, 6, 4, 1]) / 16
        self.register_buffer("window", torch.outer(line, line), persistent=False)
        self.window: Tensor
        self.convolutions = nn.Sequential(
            *(nn.Conv2d(1, 64, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
            *(nn.Conv2d(64, 64, 5, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten()),
        )
        check_shares(dropout=dropout)
        if min(width) < 1:
            raise ValueError(f"width is {list(width)}; expected four numbers of units, 1 or more each")
        layers: list[nn.Module] = []
        for place, (before, after) in enumerate(zip((64 * (PATCH // 4) ** 2, *width[:3]), width, strict=True)):
            layers += [nn.Linear(before, after), nn.ReLU(inplace=True), *([nn.Dropout(dropout)] if place < 3 else [])]
        self.hidden = nn.Sequential(*layers)
        for_relu(self)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Look at patches.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1], with sides of `PATCH` or more.

        Returns:
            Features `(N, K, D)`, and places `(N, K)` of those patches among all, row by row.
        """
        grey = 255 * luma(image)
        normal = normalise_locally(grey, self.window, 127.0, "replicate") * (2 / 3)
        kept = most_varied(cut_patches(centred(grey, PATCH), PATCH))
        patches = cut_patches(centred(normal, PATCH), PATCH)  # (N, P, 1, s, s)
        chosen = patches.gather(1, kept[:, :, None, None, None].expand(-1, -1, *patches.shape[2:]))
        return self.hidden(self.convolutions(chosen.flatten(0, 1))).unflatten(0, kept.shape), kept


class BIECONLocal(QualityNetwork):
    """First stage of BIECON: the structural similarity of each patch, without its reference. Its score is their mean."""

    whole = True

    def __init__(self) -> None:
        super().__init__()
        self.patches = PatchFeatures()
        self.dropout = nn.Dropout(0.5)
        self.local = RegressionHead(128, 128, 0.0)
        self.local.start_at(0.5)

    def local_scores(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Score patches: `(N, K)`, and their places as `PatchFeatures` gives them; argument as in `forward`."""
        features, kept = self.patches(image)
        return self.local(self.dropout(features).flatten(0, 1)).reshape(kept.shape), kept

    def forward(self, image: Tensor) -> Tensor:
        """Give the mean score of the patches.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32, about 0 to 1.
        """
        return self.local_scores(image)[0].mean(1)

    def pretrained_parts(self) -> list[nn.Module]:
        """None: it starts at random."""
        return []


class LocalSimilarity(Objective):
    """Mean squared error of each patch's score against the structural similarity under that patch."""

    inputs = ("reference",)

    def forward(self, network: QualityNetwork, crops: Crops) -> Tensor:
        """Give the loss.

        Args:
            network: A `BIECONLocal`.
            crops: With `reference`.
        """
        scores, kept = cast(BIECONLocal, network).local_scores(crops["image"])
        return F.mse_loss(scores, local_similarity(crops["reference"], crops["image"]).gather(1, kept))


class BIECON(Method):
    """Blind image evaluator based on a convolutional network, Kim and Lee, JSTSP 2017; reimplemented from published facts.

    ```text
    n = ⅔ (I − μ) / (σ + 127)             I grey in [0, 255]; μ, σ over a binomial window of 5×5
    patches of 32×32 on a centred grid; of P, the ⌊0.8 P⌋ whose grey values deviate most
    first stage:   g(f(patch)) → mean of the SSIM map under the patch, the pair halved in size
    second stage:  h(mean over patches of f(patch)) → opinion;  both by mean squared error, all of f learns
    ```

    Official code: jongyookim/IQA_BIECON_release (MIT), not used.

    Differs from the paper:
        - Training looks at the patches of crops, not of whole images; scores are of whole images.
        - In the second stage the head learns ten times as fast as the patch network, which has the paper's rate.
        - Weights decay by the optimiser, by what the paper's 1e-4 Σ‖W‖² beside 100 times the squared error amounts to.
        - Pairs are halved by averaging 2×2 pixels.
        - The epoch is chosen on the validation part.

    Args:
        dropout: Share of hidden units dropped in training.
    """

    whole = True
    title = "BIECON"
    status = "published facts"
    paper = "Kim and Lee, Fully deep blind image quality predictor, JSTSP 2017"
    differs = (
        "Training looks at the patches of crops, not of whole images; scores are of whole images.",
        "In the second stage the head learns ten times as fast as the patch network, which has the paper's rate.",
        "Weights decay by the optimiser, by what the paper's 1e-4 Σ‖W‖² beside 100 times the squared error amounts to.",
        "Pairs are halved by averaging 2×2 pixels.",
        "The epoch is chosen on the validation part.",
    )
    stage_one = ("patches",)

    def __init__(self, dropout: float = 0.5) -> None:
        super().__init__()
        self.patches = PatchFeatures(dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = RegressionHead(128, 128, 0.0)

    def forward(self, image: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32, higher is better, about 0 to 1.
        """
        features, _ = self.patches(image)
        score: Tensor = self.head(self.dropout(features.mean(1)))
        return score

    def pretrained_parts(self) -> list[nn.Module]:
        """The patch network, from the first stage."""
        return [self.patches]

    def start_at(self, quality: float) -> None:
        """Set the last bias."""
        self.head.start_at(quality)


def centred(plane: Tensor, side: int) -> Tensor:
    """Cut off what is beyond whole patches, as much on both sides; the upper left corner has even coordinates.

    Args:
        plane: `(N, C, h, w)`.
        side: Side of a patch.
    """
    top, left = ((length % side) // 4 * 2 for length in plane.shape[2:])
    height, width = (length // side * side for length in plane.shape[2:])
    return plane[:, :, top : top + height, left : left + width]


def most_varied(patches: Tensor) -> Tensor:
    """Choose the `⌊KEPT · P⌋` patches, at least one, with the largest standard deviation.

    Args:
        patches: `(N, P, 1, s, s)`.

    Returns:
        Their places `(N, K)`, ascending.
    """
    count = max(1, int(KEPT * patches.shape[1]))
    return patches.flatten(2).std(2).topk(count, 1).indices.sort(1).values


def local_similarity(reference: Tensor, image: Tensor) -> Tensor:
    """Give what the first stage learns: the mean structural similarity under each patch, of the pair halved in size.

    Args:
        reference: `(N, 3, h, w)` RGB in [0, 1].
        image: As the reference.

    Returns:
        `(N, P)` for all patches of the centred grid, row by row.
    """
    halves = [F.avg_pool2d(luma(picture), 2) for picture in (reference, image)]
    similarity = ssim_map(*halves)
    top, left = ((length % PATCH) // 4 for length in image.shape[2:])  # half of the even corner
    rows, columns = (length // PATCH for length in image.shape[2:])
    under = similarity[:, :, top : top + rows * PATCH // 2, left : left + columns * PATCH // 2]
    return F.avg_pool2d(under, PATCH // 2).flatten(1)
