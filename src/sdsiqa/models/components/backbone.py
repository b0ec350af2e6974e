"""A timm backbone that can be entered between its levels."""

from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast

import timm
import torch
from safetensors import SafetensorError, safe_open
from timm.models._features import FeatureDictNet
from torch import Tensor, nn

from sdsiqa.errors import CheckpointError, WeightsNotFoundError, in_short
from sdsiqa.files import user_path
from sdsiqa.models.components.any_size import smallest_multiple
from sdsiqa.runs.ranges import check_counts

_TABLES = ("relative_position_index", "attn_mask")
"""Buffers that older files carry and that the backbone computes by itself."""


Alter = Callable[[int, Tensor], Tensor]
"""Changes the features `(N, C, h, w)` of a level, given its position among the levels."""


def check_weights(path: Path, name: str, body: nn.Module, whole: nn.Module) -> None:
    """Refuse a file that would leave a part of the backbone at random, which timm only logs.

    Only the names are read. Sizes are left to timm, which resizes position embeddings.

    Args:
        path: A file that exists.
        name: Backbone in timm's naming.
        body: The backbone that the weights are for.
        whole: The same backbone with its classifier: its names are those of the file.

    Raises:
        CheckpointError: The file is no `.safetensors` file, lacks weights of the backbone, or has weights of another one.
    """
    if path.suffix != ".safetensors":
        raise CheckpointError(
            f"{path}: weights are read from .safetensors files only, since others can run code; convert it with "
            "safetensors.torch.save_file"
        )
    try:
        with safe_open(path, framework="pt") as file:
            found = set(file.keys())
    except SafetensorError as error:
        raise CheckpointError(f"{path}: is no .safetensors file ({error}); copy or download it again") from error
    names = set(whole.state_dict())
    backbone = {_plain(key) for key in body.state_dict()}
    needed = {key for key in names if _plain(key) in backbone and not key.endswith("num_batches_tracked")}
    problems = {
        "lacks": sorted(needed - found),
        "has unknown": sorted(key for key in found - names if not key.endswith(_TABLES)),
    }
    said = [
        f"{what} {len(keys)} weights ({', '.join(keys[:3])}{', …' * (len(keys) > 3)})" for what, keys in problems.items() if keys
    ]
    if said:
        raise CheckpointError(f"{path}: {' and '.join(said)}; set `weights` to a file of {name} in timm's key names")


def _plain(key: str) -> str:
    """Undo how timm renames weights when it takes a backbone apart: `stages.0` becomes `stages_0`, a whole gets a prefix."""
    return key.removeprefix("model.").removeprefix("body.").replace(".", "_")


class Backbone(nn.Module):
    """Features of several levels of any timm backbone.

    Channels, strides, layout and normalisation are read from timm. The constructor builds structure only;
    `load_pretrained` loads weights, so opening a checkpoint needs neither a network nor the weights' file.

    Args:
        name: Backbone in timm's naming.
        weights: `timm` downloads ImageNet weights, a path reads a `.safetensors` file, or the file in that folder whose name
            is the backbone's; `None` starts at random.
        levels: Which of timm's feature levels, shallow to deep; `all`, or `None` for the last four, without a pooling at the
            end that has no weights of its own: VGG16 gives conv2_2, conv3_3, conv4_3 and conv5_3, of strides 2 to 16.
        same_padding: Pad as TensorFlow does, for weights that were trained so (EfficientNet and MobileNet families).
        channels: Input channels; those beyond RGB start with zero weights.
        frozen: Whether weights and statistics stay as they are.
        frozen_statistics: Whether normalisation layers keep their statistics while weights learn.
        frozen_levels: How many of the levels, shallow ones first, stay as they are with all that comes before them; a step
            computes no gradients there unless something that learns alters what comes out of them.

    Raises:
        ValueError: `levels` is empty, or does not go from shallow to deep, or there are not so many levels to freeze.
    """

    def __init__(
        self,
        name: str,
        weights: str | None = None,
        levels: Sequence[int] | Literal["all"] | None = None,
        same_padding: bool = False,
        channels: int = 3,
        frozen: bool = False,
        frozen_statistics: bool = False,
        frozen_levels: int = 0,
    ) -> None:
        super().__init__()
        self.name, self.weights, self.levels, self.same_padding = name, weights, levels, same_padding
        self.frozen, self.frozen_statistics = frozen, frozen_statistics
        if levels is not None and not len(levels):
            raise ValueError("levels is empty; name one or more, or set it to null for the last four")
        self._out = None if levels == "all" else (-4, -3, -2, -1) if levels is None else tuple(levels)
        self.body = self._create_with_levels(channels)
        if levels is None and self._ends_in_pooling:
            self._out = (-5, -4, -3, -2)
            self.body = self._create(channels, pretrained=False)
        body = cast(Any, self.body)  # timm's attributes, which torch's types do not know
        count = len(body.feature_info.info)
        places = [level % count for level in body.feature_info.out_indices]
        if places != sorted(set(places)):  # timm gives features in the order of depth, but channels in the order asked for
            raise ValueError(f"levels must go from shallow to deep, each once; got {levels!r} of {count}")
        self.channels: list[int] = list(body.feature_info.channels())
        self.strides: list[int] = list(body.feature_info.reduction())
        config = body.pretrained_cfg
        self.keeps_channels_last = str(getattr(body, "output_fmt", "NCHW")).endswith("NHWC")
        self.has_patches = not self.staged or self.keeps_channels_last
        self.multiple = self.strides[0] if self.has_patches else 1  # patches do not overlap: a rest that fills none is refused
        self.register_buffer("mean", torch.tensor(config["mean"]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config["std"]).view(1, 3, 1, 1), persistent=False)
        self.mean: Tensor
        self.std: Tensor
        self._kept = list[nn.Module]()
        self._try(channels)
        self._kept = self._first(frozen_levels)
        for part in [self] if frozen else self._kept:
            part.requires_grad_(False)
        self.train()  # Lightning trains in the modes that it finds, so what is frozen must say so from the start

    @property
    def weights_file(self) -> Path | None:
        """File that weights are read from, which need not be there; `None` where they are timm's, or random."""
        if self.weights in (None, "timm"):
            return None
        path = user_path(str(self.weights))
        if not path.is_dir():
            return path
        exact = path / f"{self.name}.safetensors"
        marked = sorted(path.glob(f"{self.name}.*.safetensors"))  # `<name>.<what weights>.safetensors`, as timm names them
        return marked[0] if len(marked) == 1 and not exact.exists() else exact

    @property
    def staged(self) -> bool:
        """Whether a level can be changed before the next one sees it; plain transformers' can not."""
        return isinstance(self.body, FeatureDictNet) or hasattr(self.body, "conv_stem")

    @property
    def _ends_in_pooling(self) -> bool:
        """Whether the deepest level is the one before it, pooled."""
        steps = list(self.body.values()) if isinstance(self.body, FeatureDictNet) else []
        return bool(steps) and isinstance(steps[-1], nn.MaxPool2d | nn.AvgPool2d)

    def normalise(self, image: Tensor) -> Tensor:
        """Normalise as the backbone's weights expect.

        Args:
            image: `(N, 3, h, w)` in [0, 1].
        """
        return (image - self.mean) / self.std

    def forward(self, x: Tensor, alter: Alter | None = None, propagate: bool = False) -> list[Tensor]:
        """Compute the levels.

        Args:
            x: Normalised input, `(N, channels, h, w)`.
            alter: Changes each level's features.
            propagate: Whether the next level sees the changed features.

        Returns:
            One `(N, C, h, w)` per level, after `alter`.
        """
        size = x.shape[-2:]
        if self.multiple > 1:
            x = nn.functional.pad(x, (0, -x.shape[-1] % self.multiple, 0, -x.shape[-2] % self.multiple))
        if not propagate or alter is None:
            features = [self._cut(self._flip(f), stride, size) for f, stride in zip(self.body(x), self.strides, strict=True)]
            return features if alter is None else [alter(level, f) for level, f in enumerate(features)]
        found: list[Tensor] = []
        for module, is_level in self._steps():
            x = module(x)
            if is_level:
                found.append(alter(len(found), self._flip(x)))
                x = self._flip(found[-1], back=True)
        return [self._cut(f, stride, size) for f, stride in zip(found, self.strides, strict=True)]

    def _cut(self, features: Tensor, stride: int, size: Sequence[int]) -> Tensor:
        """Cut off places that show padding alone."""
        height, width = (-(-side // stride) for side in size)
        return features[..., :height, :width] if self.multiple > stride else features

    @torch.no_grad()
    def _try(self, channels: int) -> None:
        """Give the backbone one picture of an odd size, so that one that cannot work is refused before a run.

        Raises:
            ValueError: It takes pictures of one size only, or its levels are no feature maps.
        """

        def levels(picture: Tensor, multiple: int) -> list[Tensor]:
            self.multiple = multiple
            return self.forward(picture)

        self.eval()
        made_for = cast(Any, self.body).pretrained_cfg.get("input_size", (3, 224, 224))[1:]
        try:
            with torch.random.fork_rng(devices=[]):
                self.multiple = smallest_multiple(levels, channels, made_for[0], self.channels, self.multiple)
        except ValueError as error:
            raise ValueError(
                f"backbone {self.name} gives no feature maps of a picture of any size ({error}); timm made it for "
                f"{made_for[0]}×{made_for[1]}, and pictures here have sizes of their own: choose another, such as resnet50, "
                "convnext_tiny or swin_tiny_patch4_window7_224"
            ) from error

    def train(self, mode: bool = True) -> "Backbone":
        """Switch to training, except for what is frozen."""
        super().train(mode and not self.frozen)
        for part in self._kept:
            part.eval()
        if self.frozen_statistics:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):  # timm's BatchNormAct2d is one
                    module.eval()
        return self

    def _first(self, levels: int) -> list[nn.Module]:
        """Give what computes the first levels.

        Raises:
            ValueError: There are not so many, or what computes them is not in stages.
        """
        check_counts(0, frozen_levels=levels)
        if levels > len(self.channels):
            raise ValueError(
                f"frozen_levels is {levels!r}, and {self.name} gives {len(self.channels)} levels here; give at most those"
            )
        if levels and not self.staged:
            raise ValueError(f"frozen_levels is {levels!r}, and {self.name} cannot be entered between its levels; set it to 0")
        found, passed = list[nn.Module](), 0
        for module, is_level in self._steps() if levels else ():
            if passed < levels:
                found.append(module)
                passed += is_level
        return found

    def load_pretrained(self) -> None:
        """Load the weights that `weights` names.

        Raises:
            WeightsNotFoundError: They are not there; says how to get them.
            CheckpointError: The file is not one of this backbone.
        """
        if self.weights is None:
            return
        path = self.weights_file
        if path is not None:
            if not path.is_file():
                raise WeightsNotFoundError(
                    f"there are no weights at {path}; set `weights` to a .safetensors file of {self.name}, to `timm` to "
                    "download them, or to null to start at random"
                )
            check_weights(path, self.name, self.body, timm.create_model(self.name, pretrained=False))
        try:
            source = self._create(3, pretrained=True).state_dict()
        except Exception as error:  # timm and its hub client raise many kinds
            if path is not None:  # the names fit, the sizes do not
                reason = in_short(error, 300)
                raise CheckpointError(f"{path}: is not a file of {self.name} ({reason}); set `weights` to one") from error
            raise WeightsNotFoundError(
                f"weights of {self.name} could not be loaded from {self.weights!r} ({in_short(error, 240)}); without "
                "internet, set SDSIQA_WEIGHTS to a .safetensors file of this backbone"
            ) from error
        own = self.body.state_dict()
        for name, value in source.items():
            if own[name].shape == value.shape:
                own[name].copy_(value)
            else:  # the first convolution of an input with more channels
                own[name].zero_()
                own[name][:, : value.shape[1]].copy_(value)

    def _create_with_levels(self, channels: int) -> nn.Module:
        """Build the structure; by default with the last four levels, or as many as there are."""
        for count in (4, 3, 2) if self.levels is None else ():
            self._out = tuple(range(-count, 0))
            try:
                return self._create(channels, pretrained=False)
            except LookupError:
                continue
        try:
            return self._create(channels, pretrained=False)
        except LookupError as error:
            raise ValueError(f"{self.name} cannot give the levels {self.levels!r} ({error.__cause__}); name others") from error

    def _create(self, channels: int, pretrained: bool) -> nn.Module:
        arguments: dict[str, Any] = {"pad_type": "same"} if self.same_padding else {}
        if pretrained and self.weights_file is not None:
            arguments["pretrained_cfg_overlay"] = {"file": str(self.weights_file)}
        if self._out is not None:  # timm gives all levels unless told otherwise
            arguments["out_indices"] = self._out
        # ViT and Swin are built for one image size unless told otherwise, each in its own words; Swin's come first, because an
        # older Swin takes any word and heeds these alone
        sizes: tuple[dict[str, Any], ...] = (
            {"strict_img_size": False},
            {"dynamic_img_size": True, "dynamic_img_pad": True},
            {},
        )
        for any_size in sizes:
            try:
                body: nn.Module = timm.create_model(
                    self.name, features_only=True, in_chans=channels, pretrained=pretrained, **arguments, **any_size
                )
            except TypeError as error:
                if "pad_type" in str(error):
                    raise ValueError(f"{self.name} cannot pad as TensorFlow does; set same_padding to false") from error
                if not any(word in str(error) for word in any_size):
                    raise ValueError(f"backbone {self.name}: timm cannot build it ({error}); choose another") from error
            except (AssertionError, IndexError) as error:  # timm's, for a level that is not there
                raise LookupError from error
            except (RuntimeError, ValueError, AttributeError, NotImplementedError, KeyError) as error:
                if pretrained:
                    raise
                raise ValueError(self._unknown(error)) from error
            else:
                return body
        raise AssertionError("the last attempt returns or raises")

    def _unknown(self, error: Exception) -> str:
        """Say that timm has no such backbone, or cannot take it apart."""
        plain = self.name.partition(".")[0]
        if timm.is_model(plain):
            return f"backbone {self.name}: timm cannot give its levels ({in_short(error, 120)}); choose another"
        near = get_close_matches(plain, timm.list_models(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; `timm.list_models()` lists those there are"
        return f"backbone is {self.name!r}, which timm does not know{hint}"

    def _flip(self, x: Tensor, back: bool = False) -> Tensor:
        """Bring features of backbones that keep channels last (Swin) to `(N, C, h, w)`, or back."""
        if not self.keeps_channels_last:
            return x
        return x.permute(0, 2, 3, 1) if back else x.permute(0, 3, 1, 2)

    def _steps(self) -> Iterator[tuple[nn.Module, bool]]:
        """Modules of the backbone in order, with whether a level ends there."""
        if isinstance(self.body, FeatureDictNet):
            for name, module in self.body.items():
                yield module, name in self.body.return_layers
            return
        body = cast(Any, self.body)  # EfficientNet's and MobileNet's feature networks, which share these names
        taps = body._stage_out_idx
        yield body.conv_stem, False
        # some families keep the activation apart from the normalisation
        yield nn.Sequential(body.bn1, getattr(body, "act1", nn.Identity())), 0 in taps
        for position, block in enumerate(body.blocks, start=1):
            yield block, position in taps
