"""Fine-tuning: equal budgets, and the same weights whatever was killed on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from frbench.errors import InputError
from frbench.matchers.tiny import TinyMatcher
from frbench.training import (
    CHECKPOINT,
    Budget,
    Trained,
    TrainingImages,
    fine_tune,
    starting_vectors,
)

BUDGET = Budget(steps=14, batch=6, checkpoint_every=1)


def images() -> TrainingImages:
    """Eight patterns stand for persons, four noisy pictures of each."""
    rng = np.random.default_rng(5)
    patterns = rng.integers(40, 216, (8, 7, 7, 3)).repeat(16, axis=1).repeat(16, axis=2)
    person = np.repeat(np.arange(8), 4)
    noise = rng.integers(-30, 31, (32, 112, 112, 3))
    faces = np.clip(patterns[person] + noise, 0, 255).astype(np.uint8)
    vectors = starting_vectors(TinyMatcher(), faces)
    weights = np.where(person < 4, 3.0, 1.0)
    return TrainingImages(faces, vectors, np.arange(32), person, weights, "patterns")


def tuned(folder: Path, *, seed: int = 1, budget: Budget = BUDGET) -> Trained:
    """One training on one thread."""
    torch.set_num_threads(1)
    return fine_tune(TinyMatcher(), images(), budget, seed=seed, folder=folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A training that nobody disturbed."""
    threads = torch.get_num_threads()
    done = tuned(tmp_path_factory.mktemp("whole"))
    torch.set_num_threads(threads)
    return done


def test_a_killed_run_goes_on_to_the_same_weights(whole: Trained, tmp_path: Path) -> None:
    """SIGKILL in the middle of real training, in a process of its own, changes no byte."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
        f"from test_training import tuned; from pathlib import Path; tuned(Path({str(tmp_path)!r}))"
    )
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    child = subprocess.Popen([sys.executable, "-c", code], env=environment)
    deadline = time.monotonic() + 120
    try:
        while time.monotonic() < deadline and child.poll() is None:
            kept = list(tmp_path.glob(f"*/{CHECKPOINT}"))
            if kept and torch.load(kept[0], weights_only=True)["global_step"] >= 3:
                break
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert child.returncode == -signal.SIGKILL
    again = tuned(tmp_path)
    assert 3 <= again.resumed_from < BUDGET.steps
    assert again.sha256 == whole.sha256
    assert again.images_seen == whole.images_seen == 14 * 6


def test_finished_work_is_taken_over_and_another_seed_is_other_work(
    whole: Trained, tmp_path: Path
) -> None:
    """The same settings give the kept weights; a new seed gives other weights."""
    short = Budget(steps=3, batch=6, checkpoint_every=2)
    first = tuned(tmp_path, budget=short)
    second = tuned(tmp_path, budget=short)
    assert first == second
    assert tuned(tmp_path, budget=short, seed=2).sha256 != first.sha256
    assert not list(tmp_path.glob(f"*/{CHECKPOINT}"))
    moved = TinyMatcher().retrained(first.path)
    assert moved.embed(images().faces[:2]).shape == (2, 128)
    assert moved.identity()["weights_sha256"] == first.sha256 != whole.sha256


def test_training_tells_persons_apart(whole: Trained) -> None:
    """After training two persons are less alike than before, beside two pictures of one."""

    def apart(matcher: TinyMatcher) -> float:
        unit = matcher.embed(images().faces)
        cosine, same = unit @ unit.T, np.equal.outer(images().person, images().person)
        return float((cosine[same].mean() - cosine[~same].mean()) / cosine[~same].std())

    assert apart(TinyMatcher().retrained(whole.path)) > apart(TinyMatcher())


def test_images_are_drawn_by_weight() -> None:
    """An image with three times the weight is seen three times as often."""
    from frbench.training import _Tuning

    tuning = _Tuning(TinyMatcher(), images(), Budget(batch=400, augment=False), 3)
    seen = np.concatenate([tuning._drawn(step)[1].numpy() for step in range(5)])
    assert abs(np.mean(seen < 4) - 0.75) < 0.04


def test_settings_that_cannot_train_are_refused() -> None:
    """A budget of nothing, an unknown loss, a kept state that is no state."""
    with pytest.raises(InputError, match="steps=0"):
        Budget(steps=0)
    with pytest.raises(InputError, match="triplet"):
        Budget(loss="triplet")  # type: ignore[arg-type]


def test_a_damaged_state_is_told_and_never_passed_over(tmp_path: Path) -> None:
    """Starting over in silence would hide that work was lost."""
    from frbench.training import training_key

    budget = Budget(steps=2, batch=6)
    torch.set_num_threads(1)
    key = training_key(TinyMatcher(), images(), budget, seed=1, device="cpu")
    (tmp_path / key).mkdir()
    (tmp_path / key / CHECKPOINT).write_bytes(b"no state")
    with pytest.raises(InputError, match="remove"):
        fine_tune(TinyMatcher(), images(), budget, seed=1, folder=tmp_path)


def test_a_matcher_without_a_network_is_refused(tmp_path: Path) -> None:
    """A black box cannot be retrained, and the sentence says what can."""

    class Opaque:
        name = "opaque"

    with pytest.raises(InputError, match="matcher=tiny"):
        fine_tune(Opaque(), images(), BUDGET, seed=1, folder=tmp_path)  # type: ignore[arg-type]
