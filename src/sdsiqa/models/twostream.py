"""TwoStreamIQA: one stream sees small patches of an image, the other the gradient there."""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.base import Method
from sdsiqa.models.components.preprocessing import cut_patches, luma
from sdsiqa.runs.ranges import check_counts, check_shares


def gradient(plane: Tensor) -> Tensor:
    """Give `½ |Sobel_x| + ½ |Sobel_y|`, with kernels of integers, of a plane that is reflected at its border.

    Args:
        plane: `(N, 1, h, w)`.

    Returns:
        `(N, 1, h, w)` on the scale of the plane: 2 beside a step of 1.
    """
    across = plane.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([across, across.T])[:, None]
    found = F.conv2d(F.pad(plane, (1, 1, 1, 1), mode="reflect"), kernels)
    return found.abs().mean(1, keepdim=True)


class Stream(nn.Module):
    """From patches of 32×32 to a vector.

    Args:
        channels: Channels of a patch.
        width: Channels of the first convolution; the others double it.
        features: Length of the vector.
    """

    def __init__(self, channels: int, width: int, features: int) -> None:
        super().__init__()
        widths = [channels, width, 2 * width, 4 * width, 8 * width]
        layers = [
            nn.Sequential(nn.Conv2d(before, after, side, padding=side // 2), nn.ReLU(), nn.MaxPool2d(2))
            for (before, after), side in zip(itertools.pairwise(widths), (7, 5, 3, 3), strict=True)
        ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], features, 1), nn.ReLU(), nn.AdaptiveMaxPool2d(1))

    def forward(self, patches: Tensor) -> Tensor:
        """Map `(N, C, 32, 32)` to `(N, features)`."""
        vector: Tensor = self.layers(patches).flatten(1)
        return vector


class TwoStreamIQA(Method):
    """Two-stream network of Yan, Gong and Zhang, TIP 2019, from published facts; stands where the paper's tables say TSIG.

    ```text
    G = ½ |Sobel_x ∗ Y| + ½ |Sobel_y ∗ Y|                      of the luma Y of the whole picture, before patches are cut
    f(p) = maxpool relu(conv1×1-216(conv-pool⁴(p)))            7×7-32, 5×5-64, 3×3-128, 3×3-256, each relu and max-pool 2
    q = w₃ᵀ drop(relu(W₂ drop(relu(W₁ [f_I(p_I); f_G(p_G)]))))   512 and 512 units
    score of an image = mean of q over its patches of 32×32, stride 32
    ```

    The loss is L1 over patches, each with the label of its image (`sdsiqa.models.PatchLoss`). No publication called TSIG
    is known to us, so this goes by its own name, and numbers printed for TSIG are not its own.

    Official code: none by the authors is known; an unofficial port, lllllllllllll-llll/TwoStreamIQA, has no licence and was
    not used.

    Differs from the paper:
        - The region-based layer is a max-pool over a patch's last 2×2 places; 216 = 9 × 24 channels suggest 3×3 regions.
        - ReLU and dropout between the last three layers are ours; their place in the paper is not known.
        - The gradient is that of the luma, one channel.
        - Training sees the patches of crops, not of whole images; scores are of whole images.
        - The learning rate follows a cosine, and the validation part chooses among all epochs, not those after the hundredth.

    Args:
        width: Channels of the first convolution of a stream; the others double it.
        features: Length of a stream's vector.
        head_dim: Units of both hidden layers.
        dropout: Share of their units dropped in training.
    """

    whole = True
    title = "TwoStreamIQA"
    status = "published facts"
    paper = "Yan, Gong and Zhang, Two-stream convolutional networks for blind image quality assessment, TIP 28(5), 2019"
    differs = (
        "The region-based layer is a max-pool over a patch's last 2×2 places; 216 = 9 × 24 channels suggest 3×3 regions.",
        "ReLU and dropout between the last three layers are ours; their place in the paper is not known.",
        "The gradient is that of the luma, one channel.",
        "Training sees the patches of crops, not of whole images; scores are of whole images.",
        "The learning rate follows a cosine, and the validation part chooses among all epochs, not those after the hundredth.",
    )

    def __init__(self, width: int = 32, features: int = 216, head_dim: int = 512, dropout: float = 0.5) -> None:
        super().__init__()
        check_counts(width=width, features=features, head_dim=head_dim)
        check_shares(dropout=dropout)
        self.image_stream = Stream(3, width, features)
        self.gradient_stream = Stream(1, width, features)
        hidden = [(nn.Linear(size, head_dim), nn.ReLU(), nn.Dropout(dropout)) for size in (2 * features, head_dim)]
        self.hidden = nn.Sequential(*itertools.chain.from_iterable(hidden))
        self.output = nn.Linear(head_dim, 1)

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
        patches = cut_patches(torch.cat([image, gradient(luma(image))], 1), 32)  # (N, P, 4, 32, 32)
        flat = patches.flatten(0, 1)
        vector = torch.cat([self.image_stream(flat[:, :3]), self.gradient_stream(flat[:, 3:])], 1)
        with torch.autocast(image.device.type, enabled=False):  # half precision would leave few distinct scores
            scores: Tensor = self.output(self.hidden(vector.float()))
        return scores.reshape(patches.shape[:2])

    def start_at(self, quality: float) -> None:
        """Set the last bias."""
        nn.init.constant_(self.output.bias, quality)
