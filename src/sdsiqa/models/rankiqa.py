"""RankIQA: learns to rank pairs of distorted images first, then to score them."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from sdsiqa.models.base import Method, QualityNetwork
from sdsiqa.models.components.backbone import Backbone
from sdsiqa.models.components.heads import RegressionHead
from sdsiqa.models.objective import Crops, Objective
from sdsiqa.runs.ranges import check_counts, check_numbers, check_shares


class RankIQA(Method):
    """Network of Liu, van de Weijer and Bagdanov, ICCV 2017; reimplemented from published facts.

    ```text
    first stage:   L = Σ max(0, m − (f_i − f_j)) / B   over all pairs of a batch of one distortion type, i milder than j
    second stage:  L = ½ mean (f − y)²
    ```

    The network scores every image once; all pairs are made of these outputs. Both stages train this one network.

    Official code: xialeiliu/RankIQA (MIT), not used.

    Differs from the paper:
        - Batches of the first stage are drawn at random, not as full grids of types and levels; for every five crops one
          undistorted reference joins as level 0.
        - Levels are those of a benchmark's training part, of Demo, or of a folder of photographs with the paper's own
          (`configs/data/distorted.yaml`, `distortions: tid`), not of Waterloo Exploration and Places2.
        - Types whose levels are not ordered by severity are left out of the first stage: 14 to 17 of TID2013; mean shift,
          contrast change and colour shift of KADID-10k.
        - The two fully connected layers start at random, the backbone from ImageNet.
        - Milder is higher in both stages; the margin is 0.1 on quality in [0, 1], where the paper's is 10 on its scale.
        - AdamW in both stages with rates found for such labels; scores are means over a fixed grid of crops, not 30 random ones.
        - The epoch is chosen on the validation part.

    Args:
        backbone: Name of a timm model.
        weights: `timm` downloads ImageNet weights, a path reads a `.safetensors` file, `None` starts at random.
        same_padding: Pad as TensorFlow does, for weights that were trained so.
        side: The backbone's last features are averaged to a grid of this side; 7 keeps those of VGG16 on crops of 224 pixels.
        width: Units of both hidden layers.
        dropout: Share of them dropped in training.
        frozen_statistics: Whether the backbone's normalisation layers keep their statistics while weights learn.
    """

    title = "RankIQA"
    status = "published facts"
    paper = "Liu, van de Weijer, Bagdanov, RankIQA: learning from rankings for no-reference image quality assessment, ICCV 2017"
    differs = (
        "Batches of the first stage are drawn at random, not as full grids of types and levels; for every five crops one "
        "undistorted reference joins as level 0.",
        "Levels are those of a benchmark's training part, of Demo, or of a folder of photographs with the paper's own, not of "
        "Waterloo Exploration and Places2.",
        "Types whose levels are not ordered by severity are left out of the first stage: 14 to 17 of TID2013; mean shift, "
        "contrast change and colour shift of KADID-10k.",
        "The two fully connected layers start at random, the backbone from ImageNet.",
        "Milder is higher in both stages; the margin is 0.1 on quality in [0, 1], where the paper's is 10 on its scale.",
        "AdamW in both stages with rates found for such labels; scores are means over a fixed grid of crops, not 30 random ones.",
        "The epoch is chosen on the validation part.",
    )
    stage_one = ("body", "hidden", "head")

    def __init__(
        self,
        backbone: str = "vgg16",
        weights: str | None = None,
        same_padding: bool = False,
        side: int = 7,
        width: int = 4096,
        dropout: float = 0.5,
        frozen_statistics: bool = False,
    ) -> None:
        super().__init__()
        check_counts(side=side, width=width)
        check_shares(dropout=dropout)
        self.body = Backbone(backbone, weights, [-1], same_padding, frozen_statistics=frozen_statistics)
        features = self.body.channels[0] * side**2
        self.side = side
        self.hidden = nn.Sequential(nn.Linear(features, width), nn.ReLU(inplace=True), nn.Dropout(dropout))
        self.head = RegressionHead(width, width, dropout)

    def forward(self, image: Tensor) -> Tensor:
        """Score images.

        Args:
            image: `(N, 3, h, w)` RGB in [0, 1].

        Returns:
            `(N,)` float32, higher is better; about 0 to 1 after the second stage.
        """
        (features,) = self.body(self.body.normalise(image))
        if features.shape[2:] != (self.side, self.side):
            features = F.adaptive_avg_pool2d(features, self.side)
        score: Tensor = self.head(self.hidden(features.flatten(1)))
        return score

    def pretrained_parts(self) -> list[nn.Module]:
        """The backbone."""
        return [self.body]

    def start_at(self, quality: float) -> None:
        """Set the last bias."""
        self.head.start_at(quality)


class Ranking(Objective):
    """Hinge over all pairs of a step of one distortion type: the milder one must score higher by a margin.

    Args:
        margin: That margin.
        originals: Crops for each of which one undistorted reference joins, as level 0 of its image's type; 0 for none.
    """

    inputs = ("reference", "distortion", "level")
    ordered = True

    def __init__(self, margin: float = 0.1, originals: int = 5) -> None:
        super().__init__()
        check_numbers(0, margin=margin)
        check_counts(0, originals=originals)
        self.margin, self.originals = margin, originals

    def forward(self, network: QualityNetwork, crops: Crops) -> Tensor:
        """Give the loss.

        Args:
            network: Any network.
            crops: With `reference`, `distortion` and `level`.
        """
        images, kinds, levels = crops["image"], crops["distortion"], crops["level"]
        if self.originals:
            # some of the crops, spread over the batch
            places = torch.arange(0, len(images), self.originals, device=images.device)
            images = torch.cat([images, crops["reference"][places]])
            kinds, levels = torch.cat([kinds, kinds[places]]), torch.cat([levels, torch.zeros_like(levels[places])])
        scores = self.gather(network(images))
        return ranking_loss(scores, self.gather(kinds), self.gather(levels), self.margin)


def ranking_loss(score: Tensor, kind: Tensor, level: Tensor, margin: float) -> Tensor:
    """Give `Σ max(0, margin − (s_i − s_j)) / n` over pairs of one kind of which i has the lower level.

    Args:
        score: `(n,)`.
        kind: `(n,)`.
        level: `(n,)`, mild to strong.
        margin: How much higher the milder one must score.
    """
    pairs = (kind[:, None] == kind[None]) & (level[:, None] < level[None])
    hinge = F.relu(margin - (score[:, None] - score[None]))
    return (hinge * pairs).sum() / len(score)
