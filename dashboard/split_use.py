"""The fitting of a run in; what the patients of each split taught it, as words for tables and banners, out."""

from __future__ import annotations

_STOPPING = "early stopping of the encoders and Module 2, number of trees of its teacher where it has one"
_CALIBRATION = "calibration, threshold"
_APART = "where the stack is fitted for the mean over folds, how far these differ (no label asked)"
_TEST = "evaluation only"
_OUT_OF_FOLD = "encoders, heads and Module 2 in folds; weights of the stack and k* on what each fold left out"
_USE = {
    "oof5": {
        "train": f"{_OUT_OF_FOLD}; scaling of the inputs",
        "val": f"{_STOPPING}; {_APART}",
        "meta": _OUT_OF_FOLD,
        "cal": f"{_CALIBRATION}; {_APART}",
        "test": _TEST,
    },
    "holdout": {
        "train": "encoders, heads, Module 2; scaling of the inputs",
        "val": _STOPPING,
        "meta": "weights of the stack, k*",
        "cal": _CALIBRATION,
        "test": _TEST,
    },
    "naive": {
        "train": "encoders, heads, Module 2, and on the very same patients weights of the stack and k*",
        "val": _STOPPING,
        "meta": "nothing",
        "cal": _CALIBRATION,
        "test": _TEST,
    },
}
_STOPPED = "Validation patients stopped the training of the encoders and of Module 2 early."
_CALIBRATED = "Calibration patients set the calibration and the threshold of this run."
_IN_FOLDS = (
    "patients taught this run. All but one of the fold models that are averaged here learned from each of them, and "
    "the weights and the level choice were fitted on them too, as predicted by the one that did not."
)
_LEARNED = {
    "oof5": {"train": f"Train {_IN_FOLDS}", "val": _STOPPED, "meta": f"Meta {_IN_FOLDS}", "cal": _CALIBRATED},
    "holdout": {
        "train": "Train patients taught the encoders and Module 2 of this run.",
        "val": _STOPPED,
        "meta": "Meta patients fitted the weights and the level choice of this run.",
        "cal": _CALIBRATED,
    },
    "naive": {
        "train": "Train patients taught the encoders and Module 2 of this run, and its weights and its level choice "
        "were fitted on the same patients.",
        "val": _STOPPED,
        "cal": _CALIBRATED,
    },
}
_MODEL = {
    "oof5": "The encoders, their heads and Module 2 are fitted once per fold of the train and meta patients together, "
    "each time without the patients of that fold; the stack learns from what they predict for these. For everybody "
    "else the predictions of all fold models are averaged.",
    "holdout": "The encoders, their heads and Module 2 are fitted on the train patients; the stack learns from what "
    "they predict for the meta patients.",
    "naive": "The encoders, their heads and Module 2 are fitted on the train patients, and the stack learns from what "
    "they predict for these very patients. That leaks; such a run exists only to show how much.",
}
_SEARCHED = {
    "oof5": "the patients left out of the first two folds",
    "holdout": "the meta patients",
    "naive": "the train patients, whom the networks had seen",
}


def uses(fitting: str) -> dict[str, str]:
    """Split -> what a run of this fitting used it for, in the order train, val, meta, cal, test."""
    return _USE[fitting]


def in_sample(fitting: str, split: str) -> str | None:
    """What the patients of the split taught the run, as a sentence; None where they taught it nothing."""
    return _LEARNED[fitting].get(split)


def how_fitted(fitting: str) -> str:
    """How the stages of the model were kept apart, in sentences."""
    return _MODEL[fitting]


def pair_draws(fitting: str) -> str:
    """Whose bootstrap draws the frequencies of Module 2's levels are shares of."""
    return f"bootstrap draws of {_SEARCHED[fitting]}"
