"""Where a run goes on, and what it keeps so that it can: its checkpoints, for one network or many."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from mmix.run.reports import Places, Saved, Unsaved
from mmix.training import checkpoint


def search(places: Places, *, identity: checkpoint.Identity) -> checkpoint.Search:
    """The checkpoint that the run goes on from: of those it was told of, or else of those in its own folder."""
    if places.resume is not None:
        return checkpoint.first(places.resume, identity=identity)
    return checkpoint.newest([places.checkpoints] if places.checkpoints else [], identity=identity)


def save(
    places: Places,
    *,
    tensors: Mapping[str, Tensor],
    history: Sequence[dict[str, float]],
    identity: checkpoint.Identity,
) -> Saved | Unsaved:
    """Writes the checkpoint of the epoch that is over.

    Where that is impossible, as the disk is full, the training goes on: a checkpoint is worth no more than the time
    that it may save. The folder keeps the newest two, unless somebody registers them: who does, also deletes them.
    """
    assert places.checkpoints is not None
    epoch = len(history)
    try:
        path, sha256 = checkpoint.save(
            places.checkpoints, epoch=epoch, tensors=tensors, history=history, identity=identity
        )
    except OSError as error:
        return Unsaved(epoch, f"{places.checkpoints} can't be written ({error.strerror or error})")
    if places.resume is None:
        checkpoint.delete_old(places.checkpoints)
    return Saved(epoch, path, sha256)
