"""torchmetrics answers the conformance cases; scores and an integer group per row in."""

import exchange
import torch
from torchmetrics.classification import (
    BinaryGroupStatRates,
    BinarySensitivityAtSpecificity,
    BinaryStatScores,
)


def _tensors(case):
    mated, score, group = exchange.columns(case)
    return torch.tensor(score, dtype=torch.float32), torch.tensor(mated, dtype=torch.long), group


def rates(case):
    """Both rates from the counts of its confusion matrix."""
    score, mated, _ = _tensors(case)
    metric = BinaryStatScores(threshold=case["threshold"])
    metric.update(score, mated)
    tp, fp, tn, fn, _ = metric.compute().tolist()
    answer = {"fmr": exchange.ratio(fp, fp + tn), "fnmr": exchange.ratio(fn, fn + tp)}
    return "torchmetrics.classification.BinaryStatScores", answer


def by_group(case):
    """FMR from the counts that its metric by group keeps; groups numbered as declared."""
    score, mated, group = _tensors(case)
    declared = case["groups"]
    codes = [declared.index(g) if g in declared else len(declared) for g in group]
    metric = BinaryGroupStatRates(num_groups=len(declared), threshold=case["threshold"])
    metric.update(score, mated, torch.tensor(codes))
    counts = zip(declared, metric.fp.tolist(), metric.tn.tolist(), strict=True)
    answer = {name: exchange.ratio(fp, fp + tn) for name, fp, tn in counts}
    return "torchmetrics.classification.BinaryGroupStatRates", answer


def threshold(case):
    """The threshold of the best sensitivity at a specificity of at least 1 - target."""
    score, mated, _ = _tensors(case)
    metric = BinarySensitivityAtSpecificity(min_specificity=1 - case["target_fmr"])
    _, value = metric(score, mated)
    fmr = (score[mated == 0] >= value).double().mean().item()
    return "torchmetrics.classification.BinarySensitivityAtSpecificity", {"fmr": fmr}


if __name__ == "__main__":
    exchange.serve(
        ["torchmetrics", "torch", "numpy"],
        {"rates": rates, "fmr_by_group": by_group, "threshold": threshold},
        {
            "unlabelled": "groups are integers; there is no missing one",
            "number_of_comparisons": "every score is listed",
            "max_over_min": "its ratios are of positive and true-positive rates",
            "fmr_interval": "gives no interval of a rate by group",
            "fmr_variance": "gives no variance",
            "fnmr_variance": "gives no variance",
            "": "takes rows of scores, without images or persons",
        },
    )
