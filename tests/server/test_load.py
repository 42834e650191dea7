"""Under load for a minute: no answer is lost or wrong, and the memory stays what it is."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthnet.predictor import load_model

pytest.importorskip("gradio", reason="no Gradio here: pip install depthnet[serve]")

CLIENTS, SECONDS, WARM_UP_S = 8, 60.0, 20.0
SAVE = ("png", "colour")


def memory_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read the memory from")
def test_memory_is_flat_and_no_answer_wrong_under_load(make_photo: Any, tmp_path: Path) -> None:
    from depthnet.benchmark.serve import http_client, server_process

    model = load_model(threads=1)
    photos = [make_photo(tmp_path / f"{user}.jpg", seed=user, size=(240, 300 + 8 * user)) for user in range(CLIENTS)]
    expected = []
    for photo in photos:
        saved = model.predict(photo).save(tmp_path / "own", SAVE)
        expected.append([path.read_bytes() for path in saved])

    with server_process("--threads", "1") as (address, process):
        start = time.monotonic()

        def use(user: int) -> int:
            answers = 0
            with http_client(address) as ask:
                while time.monotonic() < start + SECONDS:
                    assert ask(photos[user], SAVE) == expected[user]
                    answers += 1
            return answers

        memory = []
        with ThreadPoolExecutor(CLIENTS) as users:
            running = [users.submit(use, user) for user in range(CLIENTS)]
            while not all(one.done() for one in running):
                time.sleep(0.25)
                if time.monotonic() > start + WARM_UP_S:
                    memory.append(memory_mb(process))
            answers = [one.result() for one in running]

    third = len(memory) // 3
    before, after = np.median(memory[:third]), np.median(memory[-third:])
    print(f"{sum(answers)} answers; {before:.0f} MB after {WARM_UP_S:g} s, {after:.0f} MB at the end")
    assert min(answers) >= 2
    assert after < 1.1 * before
