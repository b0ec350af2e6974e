"""What a run is called where its configuration does not say."""

from collections.abc import Mapping
from typing import Any

from sdsiqa.runs.class_paths import benchmark_name


def names(plain: Mapping[str, Any]) -> dict[str, str]:
    """Give `method` and `name` of a run.

    Args:
        plain: Its configuration.

    Returns:
        Both, as the configuration says them where it does. The method is else the network's class in small letters, for two
        networks must not share a row of a table; the name `BENCHMARK-SPLIT-SEED`, with the method after the benchmark where it is
        not sdsiqa.
    """
    run, data = plain["run"], plain["data"]
    method = run["method"]
    if method is None:
        method = plain["model"]["network"]["class_path"].rpartition(".")[2].lower()
    parts = [benchmark_name(data), *([] if method == "sdsiqa" else [method]), data["split"], plain["seed_everything"]]
    return {"method": method, "name": "-".join(map(str, parts)) if run["name"] is None else run["name"]}
