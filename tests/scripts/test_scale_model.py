"""docs/scale.md has the table that the script computes from the committed results."""

from dataclasses import replace

from scripts.scale_model import PAGE, ROOT, Costs, Load, rows, table, written

COSTS = Costs.read(ROOT / "bench" / "results")


def test_the_page_has_the_table() -> None:
    page = PAGE.read_text()
    assert written(page, table(Load(), COSTS)) == page, "run `python -m scripts.scale_model --write`"


def test_a_fleet_that_is_a_hundredth_breaks_nothing_but_memory() -> None:
    small = Load(replicas=10, sessions=1_000, tokens_per_s=5e4)
    over = {row.what.partition(" (")[0] for row in rows(small, COSTS) if (row.share or 0) > 1}
    assert over <= {"kept sessions"}


def test_needs_grow_with_the_load() -> None:
    once, twice = (
        {row.what: row.share for row in rows(load, COSTS) if row.share}
        for load in (Load(), replace(Load(), replicas=2_000, sessions=200_000, tokens_per_s=1e7))
    )
    assert all(share >= once[what] for what, share in twice.items())
    assert once["kept sessions (3,600 s)"] * 2 == twice["kept sessions (3,600 s)"]
