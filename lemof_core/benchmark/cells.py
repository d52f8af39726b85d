"""What one number of a table is made with: a cell, its configuration, and the cells of each table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from lemof_core.config import UNTAUGHT, RunConfig, preset
from lemof_core.fitting.fit import LEMOF, TUNABLE

PAPER_FUSIONS = ("daft", "medfuse", "drfuse", "mmtm", "hyperfusion", "lemof")
FLOOR = ("late_logistic", "majority")  # of every table: one logistic regression, and the commoner class
PLAIN = ("ecg_only", "ehr_only", "late", "level_mean", *FLOOR)
RIVALS = ("daft_reverse", "early", "mlp", "boosted", "boosted_ecg", "boosted_measured")
MODULES = ("ecg_only", "ehr_only", "lemof_m1", "lemof_m2", "lemof")
ENCODERS = {
    "ecg": ("baseline", "lstm", "resnet", "wavenet"),
    "ehr": ("baseline", "ft_transformer", "tpc", "tabnet", "tab_transformer"),
}
PAPER_PAIR = ("wavenet", "ft_transformer")  # Tables 2 and 3
ABLATION_PAIR = ("resnet", "ft_transformer")  # Fig. 3
SENSITIVITY = ("lemof", *PLAIN)
TUNABLE_FUSIONS = tuple(name for name in (*PAPER_FUSIONS, *RIVALS) if name in TUNABLE)  # whatever a teacher can teach

_PAPER, _ROBUST = preset("paper"), preset("robust")
_LITERAL_CROSS, _FULL_CROSS = _PAPER.cross, _ROBUST.cross
_FOR_MEAN = replace(_ROBUST.decision, towards_cross=False)
_FOR_ONE = replace(_FOR_MEAN, for_mean=False)
# From one preset to the other, each step on top of those above it.
LADDER: dict[str, RunConfig] = {"paper": _PAPER}
LADDER["+ stack on log-odds, weights >= 0, ridge to equal"] = replace(_PAPER, decision=_FOR_ONE)
LADDER["+ ECG encoder learns measured quantities"] = replace(
    LADDER["+ stack on log-odds, weights >= 0, ridge to equal"], ecg_training=_ROBUST.ecg_training
)
LADDER["+ residual, 4 heads, norm, MLP head, width 96, dropout"] = replace(
    LADDER["+ ECG encoder learns measured quantities"],
    cross=replace(_FULL_CROSS, skip=False, **UNTAUGHT),
)
LADDER["+ skip from measured quantities and raw record"] = replace(
    LADDER["+ residual, 4 heads, norm, MLP head, width 96, dropout"], cross=replace(_FULL_CROSS, **UNTAUGHT)
)
LADDER["+ taught by trees, no dropout, longer"] = replace(_ROBUST, exchange=False, decision=_FOR_ONE)
LADDER["+ taught on ECGs and records of different patients"] = replace(_ROBUST, decision=_FOR_ONE)
LADDER["+ stack fitted for the mean over folds"] = replace(_ROBUST, decision=_FOR_MEAN)
LADDER["robust"] = _ROBUST  # + the last stage is drawn to Module 2
LEVELS = {  # `robust`, but for the levels that Module 2 reads
    # The pair with the best cross-validated gain over M1, tokens of Module 2's own among what it may read.
    "robust, levels by gain": replace(_ROBUST, level_choice="cv_gain"),
    "robust, levels 3 and 3": replace(_ROBUST, level_choice="fixed"),
    "robust, levels drawn": replace(_ROBUST, level_choice="random"),
}
# `robust` learning the labels itself: what LeMoF and the rivals' networks are without a teacher.
UNTAUGHT_VARIANT = "untaught"
_LABELS = replace(_ROBUST, teacher="none", cross=replace(_FULL_CROSS, **UNTAUGHT), net=replace(_ROBUST.net, **UNTAUGHT))
VARIANTS = LADDER | LEVELS | {UNTAUGHT_VARIANT: _LABELS}


@dataclass(frozen=True, order=True)
class Cell:
    """One model of a table.

    variant: a name of VARIANTS for LeMoF, "" or "untaught" for others; arm: "" where it has no meaning.
    """

    ecg_encoder: str
    ehr_encoder: str
    fusion: str
    variant: str = ""
    arm: str = "frozen"
    fitting: str = "oof5"
    seed: int = 0

    def config(self) -> RunConfig:
        """Return what the cell is fitted with; rivals get what LeMoF `robust` has."""
        base = VARIANTS[self.variant or "robust"]
        return preset(
            base.preset,
            ecg_encoder=self.ecg_encoder,
            ehr_encoder=self.ehr_encoder,
            fusion=self.fusion,
            arm=self.arm or "frozen",
            fitting=self.fitting,
            seed=self.seed,
            level_choice=base.level_choice,
            ecg_training=base.ecg_training,
            cross=base.cross,
            net=base.net,
            teacher=base.teacher,
            exchange=base.exchange,
            decision=replace(base.decision, n_bootstrap=0),  # a table asks for no interval of one prediction
        )

    def stage(self) -> Cell:
        """Return what says which Stage 1 the cell stands on: cells that agree in it share one."""
        variant = "" if self.config().ecg_training == _ROBUST.ecg_training else "paper"
        return Cell(self.ecg_encoder, self.ehr_encoder, "", variant, "", self.fitting, self.seed)


def cells_of(
    fusions: Iterable[str],
    pairs: Iterable[tuple[str, str]],
    arms: Sequence[str],
    fitting: str,
    seeds: Sequence[int],
    variant: str = "robust",
) -> list[Cell]:
    """Return the cells of fusions over pairs of encoders, arms and seeds, less the arms that a fusion cannot have."""
    found = []
    for fusion, (ecg, ehr), seed in product(fusions, pairs, seeds):
        possible = [""] if fusion not in TUNABLE else [a for a in arms if (fusion, a) != ("mmtm", "frozen")]
        named = variant if fusion in LEMOF or variant == UNTAUGHT_VARIANT else ""
        found += [Cell(ecg, ehr, fusion, named, arm, fitting, seed) for arm in possible]
    return found


def table_cells(
    table: str,
    *,
    arms: Sequence[str],
    fitting: str,
    seeds: Sequence[int],
    pairs: Sequence[tuple[str, str]] | None = None,
) -> list[Cell]:
    """Return the cells of a table, sorted so that those of one Stage 1 stand together.

    table1: every pair, the paper's fusions and the plain ones; on the paper's pair alone the other rivals, all
    networks without their teacher, and LeMoF as the paper has it.
    table2, table3: the modules on the paper's pair. ablation: modules, levels and the ladder on Fig. 3's pair.
    leak: LeMoF on Fig. 3's pair, by all three fittings.
    Every table has the two of FLOOR for each pair, seed and fitting: what is not above them is worth nothing.
    """
    some = pairs or [ABLATION_PAIR if table in ("ablation", "leak") else PAPER_PAIR]
    if table == "table1":
        every = list(pairs or product(ENCODERS["ecg"], ENCODERS["ehr"]))
        one = [pair for pair in every if pair == PAPER_PAIR]
        found = cells_of((*PAPER_FUSIONS, *PLAIN), every, arms, fitting, seeds)
        found += cells_of(RIVALS, one, arms, fitting, seeds) + cells_of(["lemof"], one, arms, fitting, seeds, "paper")
        found += cells_of(TUNABLE_FUSIONS, one, arms, fitting, seeds, UNTAUGHT_VARIANT)
    elif table in ("table2", "table3"):
        found = cells_of((*MODULES, *FLOOR), some, arms, fitting, seeds)
    elif table == "ablation":
        found = cells_of((*MODULES, "best_levels", "level_mean", "late", *FLOOR), some, arms, fitting, seeds)
        for variant in LADDER | LEVELS:  # what a teacher is worth is a step of the ladder
            found += cells_of(["lemof"], some, arms, fitting, seeds, variant)
    else:
        found = []
        for how in ("naive", "holdout", "oof5"):
            found += cells_of(["lemof", *FLOOR], some, arms, how, seeds)
            found += cells_of(["lemof"], some, arms, how, seeds, "paper")
    return sorted(set(found), key=lambda cell: (cell.stage(), cell))
