"""The REST API from Python."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from mmix.errors import ServiceError
from mmix.spec.experiment import ExperimentSpec, canonical

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
_POLL_SECONDS = 0.3
_LINES = 1000

Json = dict[str, Any]


class Client:
    """Talks to one mmix service; a context manager."""

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.url = url
        self._http = httpx.Client(base_url=url, headers=headers, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._http.close()

    def ready(self) -> bool:
        """Whether the service answers and its database stands at the right migration."""
        try:
            return self._http.get("/readyz", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def submit(
        self,
        spec: ExperimentSpec,
        *,
        seeds: Sequence[int],
        tags: Sequence[str] = (),
        priority: int = 0,
        device: str = "any",
        max_runtime_seconds: int | None = None,
        after: Sequence[str] = (),
        key: str | None = None,
    ) -> Json:
        """Creates an experiment.

        Raises: ServiceError
        """
        body = {
            "spec": canonical(spec),
            "seeds": list(seeds),
            "tags": list(tags),
            "priority": priority,
            "device": device,
            "max_runtime_seconds": max_runtime_seconds,
            "after": list(after),
        }
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._call("POST", "/v1/experiments", json=body, headers=headers)

    def experiment(self, experiment_id: str) -> Json:
        """One experiment. Raises: ServiceError"""
        return self._call("GET", f"/v1/experiments/{experiment_id}")

    def run(self, run_id: str) -> Json:
        """One run. Raises: ServiceError"""
        return self._call("GET", f"/v1/runs/{run_id}")

    def cancel_experiment(self, experiment_id: str) -> Json:
        """Cancels every unfinished run. Raises: ServiceError"""
        return self._call("POST", f"/v1/experiments/{experiment_id}/cancel")

    def cancel_run(self, run_id: str) -> Json:
        """Cancels a run. Raises: ServiceError"""
        return self._call("POST", f"/v1/runs/{run_id}/cancel")

    def experiments(self, *, limit: int) -> Json:
        """The newest experiments. Raises: ServiceError"""
        return self._call("GET", "/v1/experiments", params={"limit": limit})

    def attempts(self, run_id: str) -> Json:
        """The tries at a run. Raises: ServiceError"""
        return self._call("GET", f"/v1/runs/{run_id}/attempts")

    def curves(self, run_id: str) -> Json:
        """The learning curves of a run so far. Raises: ServiceError"""
        return self._call("GET", f"/v1/runs/{run_id}/curves")

    def log(self, run_id: str, *, attempt: int | None = None, after: str = "0:0") -> Iterator[Json]:
        """The lines that a run's trainers have printed so far, or the trainer of one attempt, after the one at `after`.

        Raises: ServiceError
        """
        place: str | None = after
        while place is not None:
            asked = {"after": place, "limit": _LINES} | ({} if attempt is None else {"attempt": attempt})
            page = self._call("GET", f"/v1/runs/{run_id}/log", params=asked)
            yield from page["items"]
            place = page["next"]

    def follow(self, run_id: str, *, attempt: int | None = None) -> Iterator[Json]:
        """The lines of a run's log as they come, until it has ended.

        Raises: ServiceError
        """
        after, ended = "0:0", False
        while not ended:
            ended = self.run(run_id)["state"] in TERMINAL  # asked first: what was printed before its end is read below
            for line in self.log(run_id, attempt=attempt, after=after):
                after = f"{line['attempt']}:{line['n']}"
                yield line
            time.sleep(0 if ended else _POLL_SECONDS)

    def artifacts(self, run_id: str) -> Json:
        """The files that a run has left. Raises: ServiceError"""
        return self._call("GET", f"/v1/runs/{run_id}/artifacts")

    def fetch_artifact(self, run_id: str, name: str, *, to: Path) -> None:
        """Writes one of these files to a path, whole or not at all.

        Raises: ServiceError; OSError where the path can't be written.
        """
        part = to.with_name(f".{to.name}.part")
        try:
            with self._http.stream("GET", f"/v1/runs/{run_id}/artifacts/{quote(name, safe='')}") as response:
                if not response.is_success:
                    response.read()
                    raise self._refused(response)
                with part.open("wb") as file:
                    file.writelines(response.iter_bytes())
            part.replace(to)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        finally:
            part.unlink(missing_ok=True)

    def retry_run(self, run_id: str) -> Json:
        """A new run in the place of one that failed or was cancelled. Raises: ServiceError"""
        return self._call("POST", f"/v1/runs/{run_id}/retry")

    def withdraw_run(self, run_id: str, *, reason: str) -> Json:
        """Takes the results of a finished run away. Raises: ServiceError"""
        return self._call("POST", f"/v1/runs/{run_id}/withdraw", json={"reason": reason})

    def workers(self) -> Json:
        """The live workers. Raises: ServiceError"""
        return self._call("GET", "/v1/workers")

    def drain(self, worker_id: str) -> Json:
        """Makes a worker give its runs back. Raises: ServiceError"""
        return self._call("POST", f"/v1/workers/{worker_id}/drain")

    def queue(self, *, limit: int) -> Json:
        """What waits, and why. Raises: ServiceError"""
        return self._call("GET", "/v1/queue", params={"limit": limit})

    def leaderboard(self, **filters: object) -> Json:
        """A page of the leaderboard. Raises: ServiceError"""
        return self._call("GET", "/v1/leaderboard", params={k: v for k, v in filters.items() if v is not None})

    def leaderboard_text(self, **filters: object) -> Iterator[str]:
        """The leaderboard as the `format` among these filters has it, as it comes. Raises: ServiceError"""
        asked: Any = {k: v for k, v in filters.items() if v is not None}
        try:
            with self._http.stream("GET", "/v1/leaderboard", params=asked) as response:
                if not response.is_success:
                    response.read()
                    raise self._refused(response)
                yield from response.iter_text()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None

    def compare(self, body: Json, *, key: str | None = None) -> Json:
        """Creates a comparison: {name, base, arms or grid, seeds, metric, baseline, ...}.

        Raises: ServiceError
        """
        headers = {} if key is None else {"Idempotency-Key": key}
        return self._call("POST", "/v1/comparisons", json=body, headers=headers)

    def comparison(self, comparison_id: str, metric: str | None = None, *, analysis: bool = True) -> Json:
        """One comparison with its analysis, by another metric than the primary one if given. Raises: ServiceError"""
        asked = {} if metric is None else {"metric": metric}
        path = f"/v1/comparisons/{comparison_id}"
        return self._call("GET", path, params=asked | ({} if analysis else {"analysis": "false"}))

    def comparisons(
        self, *, name: str | None = None, tags: Sequence[str] = (), limit: int = 50, cursor: str | None = None
    ) -> Json:
        """A page of comparisons, the newest first, of this name and with all of these tags. Raises: ServiceError"""
        asked = {"name": name, "tag": list(tags), "limit": limit, "cursor": cursor}
        return self._call("GET", "/v1/comparisons", params={k: v for k, v in asked.items() if v is not None})

    def cancel_comparison(self, comparison_id: str) -> Json:
        """Cancels every unfinished run of its own. Raises: ServiceError"""
        return self._call("POST", f"/v1/comparisons/{comparison_id}/cancel")

    def wait_for_comparison(self, comparison_id: str, *, watch: Callable[[Json], None]) -> Json:
        """The comparison with its analysis once all its runs have ended; calls `watch` with it after each look.

        Raises: ServiceError
        """
        while True:
            found = self.comparison(comparison_id, analysis=False)
            watch(found)
            if all(run["state"] in TERMINAL for arm in found["arms"] for run in arm["runs"]):
                return self.comparison(comparison_id)
            time.sleep(_POLL_SECONDS)

    def suites(self) -> Json:
        """All suites. Raises: ServiceError"""
        return self._call("GET", "/v1/suites")

    def suite(self, name: str) -> Json:
        """A suite with its studies and claims, and the data that they need. Raises: ServiceError"""
        return self._call("GET", f"/v1/suites/{quote(name, safe='')}")

    def suite_table(self, name: str, *, budget: str) -> Json:
        """What a suite's newest comparisons have come to, and the verdicts on its claims. Raises: ServiceError"""
        return self._call("GET", f"/v1/suites/{quote(name, safe='')}/table", params={"budget": budget})

    def wait(self, experiment_ids: Iterable[str], *, watch: Callable[[list[Json]], None]) -> list[Json]:
        """The finished runs of these experiments; calls `watch` with all runs after each look.

        Raises: ServiceError
        """
        ids = [run["id"] for each in experiment_ids for run in self.experiment(each)["runs"]]
        known = {run_id: self.run(run_id) for run_id in ids}
        while True:
            watch(list(known.values()))
            waiting = [run_id for run_id, run in known.items() if run["state"] not in TERMINAL]
            if not waiting:
                return list(known.values())
            time.sleep(_POLL_SECONDS)
            known.update({run_id: self.run(run_id) for run_id in waiting})

    def _call(self, method: str, path: str, **arguments: Any) -> Json:
        try:
            response = self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        if response.is_success:
            found: Json = response.json()
            return found
        raise self._refused(response)

    def _unreachable(self, error: httpx.HTTPError) -> ServiceError:
        return ServiceError(f"{self.url} can't be reached ({error}): start it with `mmix up`, or set MMIX_URL")

    def _refused(self, response: httpx.Response) -> ServiceError:
        return ServiceError(f"{self.url} refused with {response.status_code}: {_detail(response)}")


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text[:200]
