"""The FastAPI application. It knows no torch, and a request never talks to Redis."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import mmix
from api.analysis import Analyses
from api.errors import RESPONSES, install
from api.limits import BodyLimit
from api.routes import artifacts, comparisons, experiments, figures, fleet, leaderboard, runs, service, suites
from mmix.settings import Settings, load
from mmix.store import sessions as store
from mmix.store.samples import Samples

_POOL = 10


def application(settings: Settings) -> FastAPI:
    """The application over the database that the settings name."""
    engine = store.engine(settings, pool_size=_POOL, actor="api")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        engine.dispose()

    app = FastAPI(
        title="mmix",
        version=mmix.__version__,
        summary="Honest comparisons of mixing regularisers.",
        lifespan=lifespan,
        responses=RESPONSES,
    )
    app.state.sessions = store.sessions(engine)
    app.state.artifacts = settings.artifacts_place
    app.state.analyses = Analyses(app.state.sessions, settings.artifacts_place)
    app.state.samples = Samples()
    app.add_middleware(BodyLimit)
    install(app)
    for routes in (experiments, comparisons, runs, artifacts, figures, leaderboard, fleet, suites, service):
        app.include_router(routes.router)
    return app


def build() -> FastAPI:
    """The application over the environment's settings, for `uvicorn --factory api.main:build`."""
    made = application(load())
    # What is loaded stays: to look through it for garbage takes 0.13 s, in the middle of somebody's request.
    gc.collect()
    gc.freeze()
    return made
