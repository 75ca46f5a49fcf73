"""About the service itself: its schema and its health."""

from typing import Any

from fastapi import APIRouter, HTTPException

from api.dependencies import SessionsOf
from api.schemas import Health
from mmix.spec.experiment import ExperimentSpec
from mmix.store import schema
from mmix.store.sessions import revision

router = APIRouter(tags=["service"])


@router.get("/v1/schema")
def get_schema() -> dict[str, Any]:
    """The JSON schema of a spec: every model, data set and mixing method with its fields and bounds."""
    return ExperimentSpec.model_json_schema()


@router.get("/healthz")
def get_health() -> Health:
    """The process is alive."""
    return Health()


@router.get("/readyz")
def get_readiness(sessions: SessionsOf) -> Health:
    """The database answers and stands at the migration that this code needs."""
    with sessions.begin() as session:
        stands_at = revision(session)
    if stands_at != schema.head():
        raise HTTPException(
            503, f"The database stands at migration {stands_at}, not {schema.head()}: run `mmix migrate`"
        )
    return Health()
