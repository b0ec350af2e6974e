import os
import tempfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from sdsiqa import metrics
from sdsiqa.runs.scores import Scores
from sdsiqa.training.scores import Agreement

IMAGES = 22  # 22 = 7 · 3 + 1: padded to 24 on three processes, already even on two
ODD = 21  # padded to 22 on two


def drawn(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    quality = torch.rand(n, generator=generator)
    return quality + 0.4 * torch.randn(n, generator=generator), quality


def share(n: int, rank: int, world: int) -> torch.Tensor:
    """Deal indices as a distributed sampler does: every `world`-th one, the first again until all have as many."""
    padded = torch.arange(-(-n // world) * world) % n
    return padded[rank::world]


def fill(agreement: Agreement, n: int, rank: int = 0, world: int = 1, batch: int = 4) -> Agreement:
    score, quality = drawn(n)
    for rows in share(n, rank, world).split(batch):
        agreement.update(rows, score[rows], quality[rows])
    return agreement


def work(rank: int, folder: str) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    store = dist.FileStore(f"{folder}/store", 3)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=3, timeout=timedelta(minutes=10))
    pair = dist.new_group([0, 1])
    for world, n, group in ((3, IMAGES, None), (2, ODD, pair)):
        if rank >= world:
            continue
        agreement = Agreement()
        agreement.process_group = group
        fill(agreement, n, rank, world)
        with agreement.sync_context():
            scores = agreement.scores()
            held = torch.cat([agreement.score] if isinstance(agreement.score, torch.Tensor) else agreement.score)
            labels = torch.cat([agreement.quality] if isinstance(agreement.quality, torch.Tensor) else agreement.quality)
        naive = metrics.srcc(held.numpy(), labels.numpy())
        np.savez(f"{folder}/{world}-{rank}.npz", **vars(scores), naive=naive, srcc=agreement.compute()["srcc"])
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def folder() -> str:
    """What three processes computed, and two of them among themselves."""
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(work, (folder,), nprocs=3)
        yield folder


@pytest.mark.slow
@pytest.mark.parametrize(("world", "n"), [(3, IMAGES), (2, ODD)])
def test_several_processes_give_the_figures_of_one(folder: str, world: int, n: int) -> None:
    alone = fill(Agreement(), n)
    expected, figures = alone.scores(), alone.compute()
    score, quality = drawn(n)
    assert figures["srcc"] == metrics.srcc(score.numpy(), quality.numpy())
    for rank in range(world):
        with np.load(Path(folder) / f"{world}-{rank}.npz") as found:
            assert found["index"].tolist() == list(range(n))
            assert found["score"].tobytes() == expected.score.tobytes()
            assert found["quality"].tobytes() == expected.quality.tobytes()
            assert float(found["srcc"]) == figures["srcc"]
            # without removing the repeats it is another number
            assert float(found["naive"]) != pytest.approx(figures["srcc"], abs=1e-4)


def test_repeats_are_removed_and_order_is_restored() -> None:
    agreement = Agreement()
    agreement.update(torch.tensor([7, 2, 7]), torch.tensor([0.7, 0.2, 0.9]), torch.tensor([0.5, 0.1, 0.5]))
    agreement.update(torch.tensor([0, 2]), torch.tensor([0.0, 0.3]), torch.tensor([1.0, 0.1]))
    scores = agreement.scores()
    assert scores.index.tolist() == [0, 2, 7]
    assert scores.score == pytest.approx([0.0, 0.2, 0.7], abs=1e-7)  # the first of the repeats
    assert scores.quality == pytest.approx([1.0, 0.1, 0.5], abs=1e-7)
    assert [values.dtype.name for values in vars(scores).values()] == ["int64", "float64", "float64"]


def test_few_small_tensors_are_held_however_many_images_there_are() -> None:
    agreement, scores = Agreement(), torch.rand(1000)
    for number, score in enumerate(scores):
        agreement.update(torch.tensor([number]), score[None], score[None])
    assert len(agreement.score) < 40  # thousands would keep the memory between them from being used again
    assert np.array_equal(agreement.scores().score, scores.double().numpy())
    assert np.array_equal(agreement.scores().index, np.arange(1000))


def test_compute_is_the_agreement_of_the_scores() -> None:
    agreement = fill(Agreement(), 40)
    scores = agreement.scores()
    assert agreement.compute() == metrics.agreement(scores.score, scores.quality)


def test_float32_scores_enter_float64_as_they_are() -> None:
    score, quality = drawn(9)
    held = fill(Agreement(), 9).scores()
    assert held.score.astype(np.float32).tobytes() == score.numpy().tobytes()
    assert held.quality.astype(np.float32).tobytes() == quality.numpy().tobytes()


def test_a_new_epoch_starts_empty() -> None:
    agreement = fill(Agreement(), 9)
    agreement.reset()
    scores = agreement.scores()
    assert (len(scores), scores.index.dtype.name, scores.score.dtype.name) == (0, "int64", "float64")
    fill(agreement, 5)
    assert len(agreement.scores()) == 5


def test_nan_scores_are_found_and_named() -> None:
    agreement = fill(Agreement(), 6)
    agreement.update(torch.tensor([6, 6]), torch.tensor([torch.nan, torch.nan]), torch.tensor([0.5, 0.5]))
    assert agreement.scores().unusable.tolist() == [6]
    with pytest.warns(metrics.AgreementWarning, match="^1 of 7 scores are NaN or infinite"):
        assert np.isnan(agreement.compute()["srcc"])


def test_a_collapsed_network_does_not_get_a_zero() -> None:
    agreement = Agreement()
    agreement.update(torch.arange(8), torch.full((8,), 0.5), torch.linspace(0, 1, 8))
    with pytest.warns(metrics.AgreementWarning, match=r"^all 8 scores are 0\.5"):
        figures = agreement.compute()
    assert np.isnan(figures["srcc"])
    assert figures["rmse"] > 0


def test_rows_hold_no_graph() -> None:
    score = torch.rand(3, requires_grad=True)
    agreement = Agreement()
    agreement.update(torch.arange(3), score * 2, torch.rand(3))
    assert isinstance(agreement.score, list)
    assert not agreement.score[0].requires_grad


def test_scores_are_one_type_for_all() -> None:
    from sdsiqa.runs import scores as score_table

    assert Scores is score_table.Scores
