"""cimat's plug-in variances on shared scores, and its scoring, timed."""

import json
import sys
import time

import numpy as np
from cimat import MTData, UncertaintyEstimator


def by_person(score, subject):
    """{person: {person: [scores]}}, every pair of images once, as cimat's MTData arranges them."""
    images = [np.flatnonzero(subject == person) for person in range(subject.max() + 1)]
    made = {person: {} for person in range(len(images))}
    for one, mine in enumerate(images):
        for other in range(one, len(images)):
            block = score[np.ix_(mine, images[other])]
            upper = np.triu_indices(len(mine), 1)
            values = (block[upper] if one == other else block.ravel()).tolist()
            made[one][other] = made[other][one] = values
    return made


def scoring(vectors, subject):
    """Seconds that cimat's own scoring of all pairs takes."""
    images = {person: {} for person in range(subject.max() + 1)}
    for number, vector in enumerate(vectors):
        images[int(subject[number])][number] = vector
    started = time.perf_counter()
    MTData(images).generate_similarity_scores()
    return time.perf_counter() - started


def main():
    """Every repetition from scores by person to both variances."""
    with open(sys.argv[1]) as file:
        task = json.load(file)
    data = np.load(task["data"])
    scores = by_person(data["score"], data["subject"])
    seconds, found = [], ()
    for _ in range(task["repeats"]):
        started = time.perf_counter()
        found = UncertaintyEstimator(scores).compute_variance(task["threshold"])
        seconds.append(time.perf_counter() - started)
    of_fnmr, of_fmr = map(float, found)
    found = {"seconds": seconds, "fnmr": of_fnmr, "fmr": of_fmr}
    found["seconds_scoring"] = scoring(data["vectors"], data["subject"])
    with open(sys.argv[2], "w") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main()
