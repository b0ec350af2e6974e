"""Initial weights of layers."""

from torch import nn


def for_relu(network: nn.Module) -> None:
    """Start layers so that signals keep their size through ReLUs [He, Zhang, Ren and Sun, ICCV 2015].

    torch's own start shrinks them layer by layer, which a deep network without normalisation takes long to undo.

    Args:
        network: Its convolutions and linear layers are changed in place.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
