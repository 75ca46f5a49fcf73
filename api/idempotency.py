"""One answer to one request, however often it is sent."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy.orm import Session

from mmix.store import experiments

Made = TypeVar("Made", bound=BaseModel)


@dataclass(frozen=True)
class Sent:
    """Who sent what where, under which Idempotency-Key if under any."""

    owner: str
    route: str
    key: str | None
    request: BaseModel


def once(session: Session, sent: Sent, kind: type[Made], make: Callable[[], Made]) -> Made:
    """What `make` answers, or answered when the same was sent under this key before.

    Raises: Conflict where the key was used for another body.
    """
    if sent.key is None:
        return make()
    digest = hashlib.sha256(sent.request.model_dump_json().encode()).hexdigest()
    name = {"owner": sent.owner, "route": sent.route, "key": sent.key, "request_sha256": digest}
    known = experiments.remembered(session, **name)
    if known is not None:
        return kind.model_validate(known)
    answer = make()
    experiments.remember(session, **name, body=answer.model_dump(mode="json"))
    return answer
