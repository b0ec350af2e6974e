"""AIGQA: what the generator learns, and what the streams see of it."""

import timm
import torch
from safetensors.torch import save_file
from torch import nn

from sdsiqa.models.aigqa import AIGQA, Generator, PatchDiscriminator, Restoration, RestorationLoss
from sdsiqa.models.components.preprocessing import luma
from sdsiqa.models.components.similarity_maps import ssim_map


def crops(count: int = 2) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    reference = torch.rand(count, 3, 8, 8, generator=generator).repeat_interleave(8, 2).repeat_interleave(8, 3)
    noise = 0.2 * torch.randn(count, 3, 64, 64, generator=generator)
    return {"image": (reference + noise).clamp(0, 1), "reference": reference}


def moved(network: nn.Module) -> None:
    """Give the generator's last layer weights, so that it changes something."""
    torch.manual_seed(4)
    nn.init.normal_(network.generator.output.weight, std=0.1)  # type: ignore[union-attr,arg-type]


def test_the_generator_starts_as_the_identity() -> None:
    image = torch.rand(1, 3, 37, 45)
    torch.testing.assert_close(Generator(width=4)(image), image, rtol=0, atol=0)
    with torch.device("meta"):
        assert [block[0].out_channels for block in Generator().down] == [64, 128, 256, 512, 1024]  # type: ignore[index]


def test_the_streams_see_image_content_residual_and_likeness() -> None:
    network, image = AIGQA("test_resnet", width=4, head_dim=8).eval(), crops()["image"]
    restored, residual, likeness = network.infer(image)
    torch.testing.assert_close(restored, image)
    assert residual.abs().max() == 0
    torch.testing.assert_close(likeness, torch.ones(2, 1, 16, 16))
    before = network(image)
    moved(network)
    restored, residual, likeness = network.infer(image)
    torch.testing.assert_close(restored, network.generator(image).clamp(0, 1))
    torch.testing.assert_close(residual, (image - restored).abs())
    quarter = ssim_map(luma(image), luma(restored)).unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5))
    torch.testing.assert_close(likeness, quarter)
    assert not torch.equal(network(image), before)


def test_the_generator_stands_still() -> None:
    network = AIGQA("test_resnet", width=4, head_dim=8)  # as built: Lightning trains in the modes that it finds
    assert not any(module.training for module in network.generator.modules())
    moved(network)
    before = {name: value.clone() for name, value in network.generator.state_dict().items()}
    network.train()(crops()["image"]).sum().backward()
    assert all(p.grad is None for p in network.generator.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.generator.state_dict().items())
    assert network.stage_one == ("generator",)


def test_the_loss_is_the_sum_of_its_terms() -> None:
    network, batch = Restoration(width=4).eval(), crops()
    moved(network)
    restored = network.generator(batch["image"])
    error, structure = (restored - batch["reference"]).abs().mean(), 1 - ssim_map(luma(restored), luma(batch["reference"])).mean()
    plain = RestorationLoss(structure=0.5, adversarial=0)
    torch.testing.assert_close(plain(network, batch), error + 0.5 * structure)
    torch.manual_seed(0)
    whole = RestorationLoss(structure=0.5, adversarial=0.25, discriminator=4)
    assert whole.discriminator is not None
    real, fake = whole.discriminator(batch["reference"]), whole.discriminator(restored)
    hinge = (torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()) / 2
    torch.testing.assert_close(whole(network, batch), error + 0.5 * structure + hinge - 0.25 * fake.mean())
    torch.testing.assert_close(network(batch["image"]), -(restored - batch["image"]).abs().mean((1, 2, 3)))


def test_generator_and_discriminator_learn_against_each_other() -> None:
    network, batch = Restoration(width=4).eval(), crops()
    moved(network)
    objective = RestorationLoss(structure=0, adversarial=0.5, discriminator=4)
    assert objective.discriminator is not None
    objective(network, batch).backward()
    own = [p.grad.clone() for p in objective.discriminator.parameters()]  # type: ignore[union-attr]
    objective.zero_grad()
    restored = network.generator(batch["image"]).detach()
    real, fake = objective.discriminator(batch["reference"]), objective.discriminator(restored)
    ((torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()) / 2).backward()
    for grad, parameter in zip(own, objective.discriminator.parameters(), strict=True):
        torch.testing.assert_close(grad, parameter.grad)  # nothing of the generator's wish reaches it
    network.zero_grad()
    restored = network.generator(batch["image"])
    ((restored - batch["reference"]).abs().mean() - 0.5 * objective.discriminator(restored).mean()).backward()
    expected = network.generator.output.weight.grad
    other = Restoration(width=4).eval()
    other.load_state_dict(network.state_dict())
    objective(other, batch).backward()
    torch.testing.assert_close(other.generator.output.weight.grad, expected)


def test_the_discriminator_sees_fields_of_seventy_pixels() -> None:
    network, image = PatchDiscriminator(4).eval(), torch.rand(1, 3, 128, 128, requires_grad=True)
    plain = nn.Sequential(*(layer for layer in network if not isinstance(layer, nn.InstanceNorm2d)))
    found = plain(image)
    found[0, 0, found.shape[2] // 2, found.shape[3] // 2].backward()
    assert image.grad is not None
    rows = image.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert int(rows.max() - rows.min()) + 1 == 70


def test_meaning_counts_where_weights_are_given(tmp_path: object) -> None:
    torch.manual_seed(0)
    file = f"{tmp_path}/body.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), file)
    objective = RestorationLoss(structure=0, semantics=2.0, adversarial=0, backbone="test_resnet", level=1, weights=file)
    objective.load_pretrained()
    assert objective.body is not None
    assert not [p for p in objective.parameters() if p.requires_grad]
    network, batch = Restoration(width=4).eval(), crops()
    (found,), (expected,) = (objective.body(objective.body.normalise(batch[name])) for name in ("image", "reference"))
    error = (batch["image"] - batch["reference"]).abs().mean()
    torch.testing.assert_close(objective(network, batch), error + 2 * (found - expected).abs().mean())
    assert RestorationLoss(weights=None).body is None


def test_noise_is_taken_away() -> None:
    torch.manual_seed(0)
    network, batch = Restoration(width=4).train(), crops()
    objective = RestorationLoss(discriminator=4)
    optimizer = torch.optim.AdamW([*network.parameters(), *objective.parameters()], 3e-3)
    before = (batch["image"] - batch["reference"]).abs().mean().item()
    for _ in range(40):
        optimizer.zero_grad()
        objective(network, batch).backward()
        optimizer.step()
    assert (network.generator(batch["image"]) - batch["reference"]).abs().mean().item() < 0.9 * before
