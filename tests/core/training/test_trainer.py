"""What the skeleton of every training promises, asked of all four."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cine3d_core.training.adversarial import Critic, PatchDiscriminator
from cine3d_core.training.trainer import Trainer
from tests.core.training import test_inpaint, test_motion, test_render, test_see

MAKERS: dict[str, Callable[[Path], Trainer[Any, Any, Any]]] = {
    "inpaint": test_inpaint.small_trainer,
    "motion": test_motion.small_trainer,
    "render": test_render.small_trainer,
    "see": test_see.small_trainer,
}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(maker, tmp_path: Path):
    whole, first, second = (maker(new(tmp_path / name)) for name in ("a", "b", "c"))
    losses = [whole.advance().total.item() for _ in range(4)]
    for _ in range(2):
        first.advance()
    first.best = 7.0
    first.save(tmp_path / "checkpoint.pt")
    second.load(tmp_path / "checkpoint.pt")
    assert [second.advance().total.item() for _ in range(2)] == losses[2:]
    assert second.step == 4 and second.best == 7.0
    assert all(torch.equal(whole.average[name], second.average[name]) for name in whole.average)


def new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_a_run_that_goes_on_logs_every_step_once(tmp_path: Path):
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    out = tmp_path / "out"
    with pytest.raises(Stopped):  # at the first checkpoint, which is after step 2
        test_inpaint.small_trainer(new(tmp_path / "a")).run(out, stop)
    with open(out / "losses.csv", "a", encoding="utf-8") as stream:
        stream.write("3,9,9,9,9,9,9\n")  # it had gone on until it was killed
    reports: list[None] = []
    test_inpaint.small_trainer(new(tmp_path / "b")).run(out, lambda: reports.append(None))
    with open(out / "losses.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert float(rows[2]["total"]) < 9
    assert len(reports) == 1  # after step 4


def test_the_judged_network_gets_gradients_and_the_discriminator_only_its_own():
    torch.manual_seed(0)
    network = PatchDiscriminator(3, width=2)
    critic = Critic(network, torch.optim.SGD(network.parameters(), lr=0.1))
    made = torch.rand(1, 3, 32, 32, requires_grad=True)
    true = torch.rand(1, 3, 32, 32)
    judged = critic.learn_and_judge(made, true)
    own = [weight.grad.clone() for weight in network.parameters()]
    (judged.gan + judged.matching).backward()
    assert made.grad is not None and bool(made.grad.abs().sum() > 0)
    assert all(torch.equal(a, b.grad) for a, b in zip(own, network.parameters(), strict=True))
