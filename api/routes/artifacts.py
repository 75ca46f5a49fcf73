"""What a run that succeeded has left in files: list them, fetch one."""

from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from api.artifacts import folder
from api.dependencies import Owner, Root, SessionsOf
from api.schemas import Artifact, Artifacts
from mmix import files
from mmix.errors import NotFound
from mmix.store import runs
from mmix.store.runs import RunView
from mmix.store.sessions import Sessions

router = APIRouter(prefix="/v1/runs", tags=["runs"])


@router.get("/{run_id}/artifacts")
def list_artifacts(run_id: UUID, sessions: SessionsOf, owner: Owner, root: Root) -> Artifacts:
    """The files that a run has left: none before it has succeeded, and none that its spec didn't ask for."""
    run = _run(sessions, owner=owner, run_id=run_id)
    found = _sizes(run, root=root)
    return Artifacts(items=[Artifact(name=name, size_bytes=size) for name, size in sorted(found.items())])


@router.get(
    "/{run_id}/artifacts/{name}",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_artifact(run_id: UUID, name: str, sessions: SessionsOf, owner: Owner, root: Root) -> StreamingResponse:
    """One of these files, as it was written."""
    run = _run(sessions, owner=owner, run_id=run_id)
    size = _sizes(run, root=root).get(name)  # a name from the list, never a path
    if size is None:
        raise NotFound(f"Run {run_id} has no artifact {name!r}")
    try:
        content = files.chunks(f"{folder(root, run_id=run.id, attempt=run.attempt)}/{name}")
    except FileNotFoundError:
        raise NotFound(f"Run {run_id} has no artifact {name!r} any more") from None
    return StreamingResponse(
        content,
        media_type="application/json" if name.endswith(".json") else "application/octet-stream",
        headers={"Content-Length": str(size), "Content-Disposition": f'attachment; filename="{name}"'},
    )


def _run(sessions: Sessions, *, owner: str, run_id: UUID) -> RunView:
    with sessions.begin() as session:
        return runs.get(session, owner=owner, run_id=run_id)


def _sizes(run: RunView, *, root: str) -> dict[str, int]:
    """The size of each file that the run says it has written and that lies there; no storage is asked for none.

    Raises: StorageError
    """
    written = (run.provenance or {}).get("artifacts", [])
    if not written:
        return {}
    return {
        name: size
        for name, size in files.sizes(folder(root, run_id=run.id, attempt=run.attempt)).items()
        if name in written
    }
