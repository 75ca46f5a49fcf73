"""The OpenAPI document, kept in docs/openapi.json: `python -m api.openapi [--check]`."""

import json
import sys
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from api.main import application
from api.schemas import Problem
from mmix.settings import Settings

PATH = Path(__file__).parent.parent / "docs" / "openapi.json"


def document(app: FastAPI) -> dict[str, Any]:
    """The document, with the schema of the problems that any operation may answer."""
    found = app.openapi()
    _, definitions = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    found["components"]["schemas"].update(definitions["$defs"])
    return found


def text() -> str:
    """The document as it is committed."""
    app = application(Settings(database_url="postgresql://nowhere/none"))
    return json.dumps(document(app), indent=1, sort_keys=True) + "\n"


def main() -> None:
    """Writes the document, or compares it with the committed one."""
    if "--check" not in sys.argv:
        PATH.write_text(text())
    elif not PATH.exists() or PATH.read_text() != text():
        sys.exit(f"{PATH} is not what the API offers: run `make openapi` and commit the difference")


if __name__ == "__main__":
    main()
