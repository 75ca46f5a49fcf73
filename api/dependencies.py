"""What endpoints ask for: sessions, the place of artifacts, and the caller's name.

Each is `async`, as FastAPI would hand a plain function over to another thread and wait for it.
"""

from typing import Annotated

from fastapi import Depends, Header, Request

from api.analysis import Analyses
from mmix.store.samples import Samples
from mmix.store.sessions import Sessions


async def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


async def _root(request: Request) -> str:
    root: str = request.app.state.artifacts
    return root


async def _analyses(request: Request) -> Analyses:
    analyses: Analyses = request.app.state.analyses
    return analyses


async def _samples(request: Request) -> Samples:
    samples: Samples = request.app.state.samples
    return samples


async def _owner() -> str:
    return "local"  # until there are API keys


SessionsOf = Annotated[Sessions, Depends(_sessions)]
Root = Annotated[str, Depends(_root)]
"""Where checkpoints and artifacts lie, shared with the workers: a folder, or a URL."""
AnalysesOf = Annotated[Analyses, Depends(_analyses)]
SamplesOf = Annotated[Samples, Depends(_samples)]
Owner = Annotated[str, Depends(_owner)]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", pattern=r"^[!-~]{1,200}$")]
