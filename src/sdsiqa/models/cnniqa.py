"""CNNIQA: one convolution on small, locally normalised grey patches."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.base import Method
from sdsiqa.models.components.preprocessing import box, cut_patches, luma, normalise_locally
from sdsiqa.runs.ranges import check_counts, check_positive, check_shares


class CNNIQA(Method):
    """Convolutional network of Kang, Ye, Li and Doermann, CVPR 2014; reimplemented from published facts.

    ```text
    n = (I − μ) / (σ + C)                       local normalisation of the grey image I in [0, 255]
    f = [max over places of W ∗ n, min over places of W ∗ n]     50 filters of 7×7, no padding, no activation
    q = w₃ᵀ dropout(relu(W₂ relu(W₁ f)))         800 and 800 units
    score of an image = mean of q over its patches of 32×32, stride 32
    ```

    The loss is L1 over patches, each with the label of its image (`sdsiqa.models.PatchLoss`).

    Official code: none by the authors is known; the public port lidq92/CNNIQA (MIT) was not used.

    Differs from the paper:
        - Window and constant of the local normalisation are believed, not confirmed.
        - Adam takes the place of stochastic gradient descent with a schedule of its momentum.
        - Pictures are reflected at their border for the normalisation: whole ones in the test, crops in training.
        - The epoch is chosen on the validation part, by the mean over patches of whole images.

    Args:
        patch: Side of a patch in pixels, and the stride from one to the next.
        filters: Filters of the convolution.
        width: Units of both hidden layers.
        dropout: Share of the first hidden layer's units dropped in training.
        window: Side of the window of the local normalisation in pixels, odd.
        constant: Added to the local standard deviation, on the scale of 0 to 255.
    """

    whole = True
    title = "CNNIQA"
    status = "published facts"
    paper = "Kang, Ye, Li and Doermann, Convolutional neural networks for no-reference image quality assessment, CVPR 2014"
    differs = (
        "Window and constant of the local normalisation are believed, not confirmed.",
        "Adam takes the place of stochastic gradient descent with a schedule of its momentum.",
        "Pictures are reflected at their border for the normalisation: whole ones in the test, crops in training.",
        "The epoch is chosen on the validation part, by the mean over patches of whole images.",
    )

    def __init__(
        self,
        patch: int = 32,
        filters: int = 50,
        width: int = 800,
        dropout: float = 0.5,
        window: int = 7,
        constant: float = 10.0,
    ) -> None:
        super().__init__()
        check_counts(patch=patch, filters=filters, width=width, window=window)
        check_positive(constant=constant)
        check_shares(dropout=dropout)
        self.patch, self.window, self.constant = patch, window, constant
        self.filters = nn.Conv2d(1, filters, 7)
        self.hidden = nn.Linear(2 * filters, width)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Linear(width, width)
        self.output = nn.Linear(width, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Score images: the mean over their patches.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32, higher is better, about 0 to 1.
        """
        return self.patch_scores(image).mean(1)

    def patch_scores(self, image: Tensor) -> Tensor:
        """Score each patch: `(N, P)` float32, row by row; arguments as in `forward`."""
        normal = normalise_locally(255 * luma(image), box(self.window), self.constant)
        patches = cut_patches(normal, self.patch)  # (N, P, 1, s, s)
        features = self.filters(patches.flatten(0, 1)).flatten(2)  # (N·P, F, places)
        pooled = torch.cat([features.amax(2), features.amin(2)], 1).float()
        with torch.autocast(image.device.type, enabled=False):  # half precision would leave few distinct scores
            hidden = self.second(self.dropout(F.relu(self.hidden(pooled))))
            scores: Tensor = self.output(F.relu(hidden))
        return scores.reshape(patches.shape[:2])

    def start_at(self, quality: float) -> None:
        """Set the last bias."""
        nn.init.constant_(self.output.bias, quality)
