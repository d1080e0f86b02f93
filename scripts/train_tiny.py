"""Train the two sets of weights of the tiny matcher, from a seed, on the CPU.

    .venv/bin/python scripts/train_tiny.py

The story they tell: one matcher, trained on equal numbers of persons of every group, is retrained
twice with the same budget (steps, batch, learning rate, number of persons, images per person).
``balanced`` is retrained on the balanced set; ``custody`` on custody images, whose composition is
ARRESTS times RETAINED below. The only difference between the two is who is in the retraining set.
The figures are illustrative: they make younger and darker-skinned people over-retained, sex
neutral, and are no statistics of any force.

People come from the streams "train-balanced" and "train-custody"; the benchmark set draws from
its own stream, so no benchmark person is in training.

The shipped weights took 1,173 s in all (both pools and 1,100 steps) on two cores of an AMD EPYC
that other work shared; nearly alone, a pool took 90 s and the 350 steps of one retraining 190 s.
Products are computed in bfloat16, so another processor, number of threads or version of torch
gives slightly other weights; the same machine repeats them.
"""

from __future__ import annotations

import argparse
import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from frbench.matchers.tiny import TinyNet, as_input, load_net
from frbench.rendering.identity import GROUPS
from frbench.rendering.render import Shot, render

WEIGHTS = Path(__file__).resolve().parent.parent / "src/frbench/matchers/weights"

# (skin tone, age band): arrests per 1,000 people, and the share of the custody images of people
# released without charge that stayed on file, both illustrative.
ARRESTS = {
    ("lighter", "older"): 3.0,
    ("lighter", "younger"): 10.0,
    ("darker", "older"): 10.0,
    ("darker", "younger"): 36.0,
}
RETAINED = {
    ("lighter", "older"): 0.15,
    ("lighter", "younger"): 0.35,
    ("darker", "older"): 0.35,
    ("darker", "younger"): 0.80,
}


@dataclass(frozen=True)
class Plan:
    """Everything that the result depends on, apart from the code."""

    seed: int = 20261123
    persons: int = 2400
    images: int = 6
    batch_persons: int = 72
    batch_images: int = 3
    base_steps: int = 400
    retrain_steps: int = 350
    base_rate: float = 2e-3
    retrain_rate: float = 2e-3
    temperature: float = 0.07


def balanced_shares() -> list[float]:
    """Share of the persons per group: equal."""
    return [1 / len(GROUPS)] * len(GROUPS)


def custody_shares() -> list[float]:
    """Share of the persons per group: in proportion to arrests times retention."""
    weight = [ARRESTS[tone, age] * RETAINED[tone, age] for tone, _, age in GROUPS]
    return [w / sum(weight) for w in weight]


def render_pool(plan: Plan, stream: str, shares: list[float]) -> Tensor:
    """Pictures of the training persons: uint8 [persons, images, 112, 112, 3]."""
    counts = [round(share * plan.persons) for share in shares]
    factors = [group for group, count in zip(GROUPS, counts, strict=True) for _ in range(count)]
    for group, count in zip(GROUPS, counts, strict=True):
        print(f"  {stream}: {count:5d} persons {'/'.join(group)}", flush=True)
    shots = [Shot(p, f, k) for p, f in enumerate(factors) for k in range(plan.images)]
    chunks = [shots[i : i + 480] for i in range(0, len(shots), 480)]
    start, done = time.monotonic(), []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as workers:
        jobs = [workers.submit(_render_chunk, chunk, plan.seed, stream) for chunk in chunks]
        for job in jobs:
            done.append(job.result())
            if len(done) % 10 == 0:
                speed = len(done) * 480 / (time.monotonic() - start)
                print(f"  rendered {len(done) * 480} of {len(shots)}, {speed:.0f}/s", flush=True)
    pool = torch.from_numpy(np.concatenate(done))
    return pool.view(len(factors), plan.images, *pool.shape[1:])


def _render_chunk(chunk: list[Shot], seed: int, stream: str) -> np.ndarray:
    torch.set_num_threads(1)
    return render(chunk, seed=seed, stream=stream)


def loss_of(vectors: Tensor, images: int, temperature: float) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, equation 2) of a batch [P * images, D]."""
    unit = functional.normalize(vectors.float(), dim=1)
    person = torch.arange(len(unit)) // images
    itself = torch.eye(len(unit), dtype=torch.bool)
    similarity = (unit @ unit.T / temperature).masked_fill(itself, -1e4)
    mates = (person[:, None] == person[None, :]) & ~itself
    log_share = similarity - similarity.logsumexp(1, keepdim=True)
    return -(log_share * mates).sum(1).div(images - 1).mean()


def draw_batch(pool: Tensor, plan: Plan, rng: torch.Generator) -> Tensor:
    """Pictures float32 [P * K, 3, 112, 112] of random persons, each shifted and re-exposed."""
    persons = torch.randperm(len(pool), generator=rng)[: plan.batch_persons]
    shots = torch.rand(len(persons), plan.images, generator=rng).argsort(1)[:, : plan.batch_images]
    chosen = as_input(pool[persons[:, None], shots].flatten(0, 1))
    padded = functional.pad(chosen, (3, 3, 3, 3), mode="replicate")
    offsets = torch.randint(0, 7, (len(chosen), 2), generator=rng).tolist()
    moved = torch.stack(
        [one[:, y : y + 112, x : x + 112] for one, (y, x) in zip(padded, offsets, strict=True)]
    )
    gain = torch.exp(0.08 * torch.randn(len(chosen), 3, 1, 1, generator=rng))
    return (moved + 1) * gain - 1


def train(net: TinyNet, pool: Tensor, plan: Plan, *, steps: int, rate: float, tag: str) -> None:
    """``steps`` updates of the network on the pool, in place; bfloat16 products on the CPU."""
    rng = torch.Generator().manual_seed(plan.seed + steps)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-3)
    net.train()
    start, recent = time.monotonic(), 0.0
    for step in range(steps):
        warm = min(1.0, (step + 1) / 40)
        turn = 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = rate * warm * turn
        with torch.autocast("cpu", torch.bfloat16):
            vectors = net(draw_batch(pool, plan, rng))
        loss = loss_of(vectors, plan.batch_images, plan.temperature)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recent = loss.item() if step == 0 else 0.95 * recent + 0.05 * loss.item()
        if (step + 1) % 50 == 0:
            spent = time.monotonic() - start
            print(f"  {tag}: step {step + 1}/{steps}, loss {recent:.3f}, {spent:.0f} s", flush=True)


def save(net: TinyNet, path: Path) -> None:
    """The weights as float16; counters of batch normalisation are kept as they are."""
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in net.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)
    print(f"wrote {path} ({path.stat().st_size / 1e6:.2f} MB)", flush=True)


def run(plan: Plan, folder: Path) -> None:
    """Train the common start, then retrain it twice."""
    torch.set_num_threads(2)
    torch.manual_seed(plan.seed)
    net = TinyNet()
    pool = render_pool(plan, "train-balanced", balanced_shares())
    train(net, pool, plan, steps=plan.base_steps, rate=plan.base_rate, tag="base")
    base = {name: value.clone() for name, value in net.state_dict().items()}
    budget = {"steps": plan.retrain_steps, "rate": plan.retrain_rate}
    train(net, pool, plan, **budget, tag="balanced")
    save(net, folder / "tiny_balanced.safetensors")
    pool = render_pool(plan, "train-custody", custody_shares())
    net.load_state_dict(base)
    train(net, pool, plan, **budget, tag="custody")
    save(net, folder / "tiny_custody.safetensors")


def differences(first: Path, second: Path) -> float:
    """Largest difference between the weights in two folders."""
    worst = 0.0
    for name in ("tiny_balanced.safetensors", "tiny_custody.safetensors"):
        a, b = load_net(first / name).state_dict(), load_net(second / name).state_dict()
        worst = max(worst, *((a[k].float() - b[k].float()).abs().max().item() for k in a))
    return worst


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder for the weights")
    parser.add_argument("--check", action="store_true", help="compare --out with the package's")
    chosen = parser.parse_args()
    if chosen.check and chosen.out.resolve() == WEIGHTS:
        parser.error("--check compares with the package's weights: name another folder with --out")
    start = time.monotonic()
    run(Plan(), chosen.out)
    print(f"took {time.monotonic() - start:.0f} s")
    if chosen.check:
        worst = differences(chosen.out, WEIGHTS)
        print(f"largest difference to the package's weights: {worst:g}")


if __name__ == "__main__":
    main()
