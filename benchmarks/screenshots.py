"""Pictures of every page on the demo store: light and dark at 1440 x 900, and a phone. `--out DIR`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from browser_support import chromium_page, idle, streamlit_server  # noqa: E402

from cohort_db import read_results  # noqa: E402
from cohort_db.store import open_store  # noqa: E402
from lemof_core.jobs.demo import demo  # noqa: E402

SIZES = {"light": ("light", 1440, 900), "dark": ("dark", 1440, 900), "phone": ("light", 390, 844)}


def telling_stay() -> int:
    """Return the demo stay whose ECG changed the prediction most: the case page has something to show."""
    store = open_store()
    run_id = read_results.newest_run(store)
    ports = read_results.ports(store, run_id).dropna()
    predicted = read_results.predictions(store, run_id).set_index("sample_id").loc[ports.index]
    strongest = (predicted["p"] - 0.5).abs().idxmax()
    store.close()
    return int(predicted.loc[strongest, "stay_id"])


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--full", action="store_true", help="whole pages instead of the first screen")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    store = open_store(create=True)
    demo(store)
    store.close()
    stay = telling_stay()
    pages = {
        "overview": "/",
        "cohort": "/cohort",
        "case": f"/case?stay={stay}",
        "levels": "/levels",
        "performance": "/performance",
        "errors": "/errors",
        "compare": "/compare",
        "cohorts": "/cohorts",
        "methods": "/methods",
        "live": "/live",
        "model-card": "/model-card",
    }
    with streamlit_server(ROOT / "streamlit_app.py", env=dict(os.environ)) as url:
        for name, (scheme, width, height) in SIZES.items():
            with chromium_page(width, height, scheme) as page:
                for title, path in pages.items():
                    page.goto(url + path)
                    idle(page)
                    page.wait_for_timeout(1500)
                    page.screenshot(path=str(arguments.out / f"{title}-{name}.png"), full_page=arguments.full)
                    print(f"{title}-{name}.png", file=sys.stderr)


if __name__ == "__main__":
    main()
