"""What one number of a table is made with: a cell, its configuration, and the cells of each table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

from lemof_core.config import ARMS, FITTINGS, UNTAUGHT, RunConfig, preset
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
_FULL_CROSS = _ROBUST.cross
_FOR_MEAN = replace(_ROBUST.decision, towards_cross=False)
_FOR_ONE = replace(_FOR_MEAN, for_mean=False)
# From one preset to the other, each step on top of those above it; a step names all fields that it changes.
LADDER: dict[str, RunConfig] = {"paper": _PAPER}
LADDER["+ stack on log-odds, weights >= 0, ridge to equal"] = replace(_PAPER, decision=_FOR_ONE)
LADDER["+ ECG encoder learns measured quantities, moved in time"] = replace(
    LADDER["+ stack on log-odds, weights >= 0, ridge to equal"], ecg_training=_ROBUST.ecg_training
)
LADDER["+ residual, 4 heads, norm, MLP head, width 96, dropout"] = replace(
    LADDER["+ ECG encoder learns measured quantities, moved in time"],
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


CELL_FIELDS = tuple(field.name for field in fields(Cell))


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


def whole_parts(table: str, pair: tuple[str, str], arm: str, fitting: str, seed: int) -> list[list[Cell]]:
    """Return the cells of a table for one pair, arm, fitting and seed, in parts that say something when whole.

    table1: the paper's fusions and the plain ones; on the paper's two pairs LeMoF as the paper has it; on the better of
    them the other rivals, and all networks without their teacher. table2, table3: the modules. ablation: modules,
    levels and the ladder.
    leak: LeMoF by all three fittings. sensitivity: LeMoF and the plain ones.
    Every table has the two of FLOOR for each pair, seed and fitting: what is not above them is worth nothing.
    """

    def cells(fusions: Iterable[str], variant: str = "robust", how: str = fitting) -> list[Cell]:
        return cells_of(fusions, [pair], [arm], how, [seed], variant)

    if table == "table1":
        parts = [cells((*PAPER_FUSIONS, *PLAIN))]
        if pair in (PAPER_PAIR, ABLATION_PAIR):
            parts.append(cells(["lemof"], "paper"))
        if pair == PAPER_PAIR:
            parts += [cells(RIVALS), cells(TUNABLE_FUSIONS, UNTAUGHT_VARIANT)]
        return parts
    if table in ("table2", "table3"):
        return [cells((*MODULES, *FLOOR))]
    if table == "sensitivity":
        return [cells(SENSITIVITY)]
    if table == "ablation":
        found = cells((*MODULES, "best_levels", "level_mean", "late", *FLOOR))
        # What a teacher is worth is a step of the ladder.
        return [found + [cell for variant in LADDER | LEVELS for cell in cells(["lemof"], variant)]]
    leak = [cell for how in FITTINGS for cell in cells(["lemof", *FLOOR], how=how)]
    return [leak + [cell for how in FITTINGS for cell in cells(["lemof"], "paper", how)]]


def table_pairs(table: str) -> list[tuple[str, str]]:
    """Return the pairs of encoders that a table has where none are named."""
    if table == "table1":
        return list(product(ENCODERS["ecg"], ENCODERS["ehr"]))
    return [PAPER_PAIR if table in ("table2", "table3") else ABLATION_PAIR]


def table_cells(
    table: str,
    *,
    arms: Sequence[str],
    fitting: str,
    seeds: Sequence[int],
    pairs: Sequence[tuple[str, str]] | None = None,
) -> list[Cell]:
    """Return the cells of a table (see `whole_parts`), sorted so that those of one Stage 1 stand together."""
    settings = product(pairs or table_pairs(table), arms, seeds)
    parts = [part for pair, arm, seed in settings for part in whole_parts(table, pair, arm, fitting, seed)]
    return sorted({cell for part in parts for cell in part}, key=lambda cell: (cell.stage(), cell))


def whole_cells(table: str, known: Iterable[Cell]) -> list[Cell]:
    """Return those of the known cells that make up whole parts of a table, whatever other tables left behind."""
    there = set(known)
    settings = {
        ((cell.ecg_encoder, cell.ehr_encoder), arm, cell.fitting, cell.seed)
        for cell in there
        for arm in ([cell.arm] if cell.arm else ARMS)
    }
    parts = [part for setting in settings for part in whole_parts(table, *setting)]
    return sorted({cell for part in parts if there >= set(part) for cell in part})


def table_commands(table: str, cells: Iterable[Cell], options: Sequence[str] = ()) -> list[str]:
    """Return the commands that measure these cells, which may be of several; `options` stand in each of them.

    >>> table_commands("table2", table_cells("table2", arms=["frozen"], fitting="oof5", seeds=[0, 1]))
    ['lemof benchmark table2 --fitting oof5 --arm frozen --seed 0 --seed 1']
    """
    fitting_of = {cell: "" if table == "leak" else cell.fitting for cell in cells if cell.arm}
    seeds = _gathered(
        ((fitting, cell.arm, (cell.ecg_encoder, cell.ehr_encoder)), cell.seed) for cell, fitting in fitting_of.items()
    )
    pairs = _gathered(((fitting, arm, of_seeds), pair) for (fitting, arm, pair), of_seeds in seeds.items())
    arms = _gathered(((fitting, of_seeds, those), arm) for (fitting, arm, of_seeds), those in pairs.items())
    found = []
    for (fitting, of_seeds, those), of_arms in arms.items():
        words = ["lemof benchmark", table, *options, *([f"--fitting {fitting}"] if fitting else [])]
        words += [f"--arm {arm}" for arm in reversed(of_arms)] + [f"--seed {seed}" for seed in of_seeds]
        if set(those) != set(table_pairs(table)):
            words += [f"--pair {ecg}+{ehr}" for ecg, ehr in those]
        found.append(" ".join(words))
    return found


def _gathered(found: Iterable[tuple[Any, Any]]) -> dict[Any, tuple[Any, ...]]:
    """Return key -> its values, each once, sorted; the keys sorted too."""
    values: dict[Any, set[Any]] = {}
    for key, value in found:
        values.setdefault(key, set()).add(value)
    return {key: tuple(sorted(values[key])) for key in sorted(values)}
