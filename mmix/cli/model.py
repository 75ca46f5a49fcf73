"""`mmix model points`."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from mmix.spec.model import Model

app = typer.Typer(help="Networks.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Networks."""


@app.command()
def points(
    kind: Annotated[str, typer.Argument(help="As in a spec: mlp, preact_resnet, torchvision, ...")],
    name: Annotated[str | None, typer.Option(help="Which network of torchvision.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Another field of the model, such as depth=50."),
    ] = None,
    shape: Annotated[
        str, typer.Option(help="Of a sample: channels,height,width, or the number of values.")
    ] = "3,32,32",
    classes: Annotated[int, typer.Option(min=2, help="How many classes the head tells apart.")] = 10,
) -> None:
    """Lists where a network can be mixed, and the shapes of its states there."""
    from rich.console import Console

    from mmix.models import points as inquiry
    from mmix.spec.model import Torchvision

    model, sides = _model(kind, name, settings or []), _sides(shape)
    found = inquiry.points(model, shape=sides, classes=classes)
    console = Console()
    console.print(f"Mix points of {name or kind} for samples of {_times(sides)}, {classes} classes")
    console.print(_table(("point", "after", "state"), ((str(n), after, _times(s)) for n, after, s in found)))
    if isinstance(model, Torchvision):
        choice = inquiry.modules(model, shape=sides, classes=classes)
        rows = ((module.name, _times(module.shape)) for module in choice)
        console.print("Modules that model.points may name")
        console.print(_table(("module", "state"), rows))


def _model(kind: str, name: str | None, settings: list[str]) -> "Model":
    import yaml
    from pydantic import TypeAdapter, ValidationError

    from mmix.errors import SpecError
    from mmix.spec.model import Model
    from mmix.spec.problems import problems, sentence

    document: dict[str, object] = {"kind": kind}
    if name is not None:
        document["name"] = name
    for setting in settings:
        field, equals, value = setting.partition("=")
        if not equals:
            raise typer.BadParameter(f"{setting!r} is not of the form FIELD=VALUE", param_hint="--set")
        try:
            document[field] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise typer.BadParameter(f"the value of {setting!r} is not YAML", param_hint="--set") from None
    try:
        model: Model = TypeAdapter(Model).validate_python(document)
    except ValidationError as error:
        found = problems(error.errors(), document)
        raise SpecError("; ".join(f"model.{sentence(problem)}" for problem in found)) from None
    return model


def _sides(shape: str) -> tuple[int, ...]:
    words = shape.split(",")
    if len(words) not in (1, 3) or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise typer.BadParameter(f"{shape!r} is neither like 3,32,32 nor like 2", param_hint="--shape")
    return tuple(map(int, words))


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _table(columns: tuple[str, ...], rows: "Iterable[tuple[str, ...]]") -> "Table":
    from rich.table import Table

    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
